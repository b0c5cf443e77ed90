import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import type { SessionDetail } from '#contract';
import { api, client } from '../../lib/api.ts';
import { useLiveEvents } from '../../lib/live-events.ts';
import { livePausedAt } from '../../lib/live-pause.ts';
import { TranscriptFeed } from './transcript-feed.ts';

/** A session with its transcript, kept up to date by the live events while the component is there. */
export function useSession(id: string) {
  const queries = useQueryClient();
  const feed = useMemo(() => {
    const queryKey = api.sessions.get.queryKey({ input: { id } });
    return new TranscriptFeed({
      current: () => queries.getQueryData<SessionDetail>(queryKey),
      show: (detail) => queries.setQueryData<SessionDetail>(queryKey, detail),
      readAgain: () => void queries.refetchQueries({ queryKey }, { cancelRefetch: false }),
    });
  }, [id, queries]);
  useEffect(() => () => feed.stop(), [feed]);
  useLiveEvents('session.>', (event) => {
    // While the pages are paused nothing moves; what is missed is read when they resume.
    if (event.subject === id && livePausedAt() === undefined) feed.receive(event);
  });
  return useQuery({
    ...api.sessions.get.queryOptions({ input: { id } }),
    queryFn: ({ signal }) => feed.read(() => client.sessions.get({ id }, { signal })),
    // The cached one was not followed while nobody looked at it.
    refetchOnMount: 'always',
  });
}
