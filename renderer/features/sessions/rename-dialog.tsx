import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { Session } from '#contract';
import { useSessionActions } from './use-session-actions.tsx';

const CLOSE = { 'aria-label': 'Close dialog' };

/** Length of a title that the runtime takes. */
export const MAX_TITLE_LENGTH = 200;

/** Asks for the new title of a session. */
export function RenameDialog({ session, onClose }: { session: Session; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title={`Rename “${session.title}”`} closeButtonProps={CLOSE}>
      <RenameForm session={session} onClose={onClose} />
    </Modal>
  );
}

function RenameForm({ session, onClose }: { session: Session; onClose: () => void }) {
  const actions = useSessionActions();
  const [title, setTitle] = useState(session.title);
  const [saving, setSaving] = useState(false);
  const next = title.trim();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (next === '') return;
    if (next === session.title) return onClose();
    setSaving(true);
    const done = await actions.rename(session, next);
    setSaving(false);
    if (done) onClose();
  };

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        <TextInput
          label="Title"
          value={title}
          maxLength={MAX_TITLE_LENGTH}
          onChange={(event) => setTitle(event.currentTarget.value)}
          onFocus={(event) => event.currentTarget.select()}
          error={next === '' ? 'A title is needed' : undefined}
          data-autofocus
        />
        <Group justify="end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={saving} disabled={next === ''}>
            Rename session
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
