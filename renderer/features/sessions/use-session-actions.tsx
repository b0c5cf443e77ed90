import { Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Session } from '#contract';
import { confirm } from '../../components/confirm.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api, client } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';

type Titled = Pick<Session, 'id' | 'title'>;

export interface SessionActions {
  /** Resolves to whether it worked; a failure has been told. */
  rename(session: Titled, title: string): Promise<boolean>;
  setArchived(session: Titled, archived: boolean): Promise<boolean>;
  /** Asks first. */
  remove(session: Titled & Pick<Session, 'messageCount'>): Promise<boolean>;
  cancel(session: Titled): Promise<boolean>;
}

/** What can be done to a session, with its toasts and questions. */
export function useSessionActions(): SessionActions {
  const queries = useQueryClient();
  return useMemo(() => {
    const refresh = () => queries.invalidateQueries({ queryKey: api.sessions.key() });
    const attempt = async (work: () => Promise<unknown>, failure: string): Promise<boolean> => {
      try {
        await work();
        return true;
      } catch (error) {
        toastError(error, failure);
        return false;
      } finally {
        void refresh();
      }
    };
    const archive = (session: Titled, archived: boolean) =>
      attempt(
        () => client.sessions.update({ id: session.id, archived }),
        archived ? 'The session was not archived' : 'The session was not taken out of the archive',
      );
    return {
      async rename(session, title) {
        const before = session.title;
        const change = (next: string) =>
          attempt(
            () => client.sessions.update({ id: session.id, title: next }),
            'The session was not renamed',
          );
        const done = await change(title);
        if (done) toastSuccess(`Renamed to “${title}”`, () => void change(before));
        return done;
      },
      async setArchived(session, archived) {
        const done = await archive(session, archived);
        if (done)
          toastSuccess(
            archived ? `Archived “${session.title}”` : `Took “${session.title}” out of the archive`,
            () => void archive(session, !archived),
          );
        return done;
      },
      async remove(session) {
        const agreed = await confirm({
          question: `Delete the session “${session.title}”?`,
          body: (
            <Stack gap="xs">
              <Text size="sm">
                {formatCount(session.messageCount, 'message')} will be gone, and a turn that is running is
                cancelled.
              </Text>
              <Text size="sm">
                This cannot be undone. Only a backup that was made before can bring the session back.
              </Text>
            </Stack>
          ),
          action: 'Delete session',
          danger: true,
        });
        if (!agreed) return false;
        const done = await attempt(
          () => client.sessions.delete({ id: session.id }),
          'The session was not deleted',
        );
        if (done) toastSuccess(`Deleted “${session.title}”`);
        return done;
      },
      cancel: (session) =>
        attempt(() => client.sessions.cancel({ id: session.id }), 'The turn was not cancelled'),
    };
  }, [queries]);
}
