import { Button, Group, Modal, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type KeyboardEvent, useState } from 'react';
import { ErrorCard } from '../../components/error-card.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { api } from '../../lib/api.ts';
import { promptSize } from './drafts.ts';
import { MAX_TITLE_LENGTH } from './rename-dialog.tsx';

const CLOSE = { 'aria-label': 'Close dialog' };

/** Begins a session with an agent, with a first message or without, and opens it. */
export function NewSessionDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="New session" closeButtonProps={CLOSE}>
      <NewSessionForm onClose={onClose} />
    </Modal>
  );
}

function NewSessionForm({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const agents = useQuery(api.agents.list.queryOptions());
  const create = useMutation(api.sessions.create.mutationOptions());
  const [chosen, setChosen] = useState<string | null>(null);
  const [message, setMessage] = useState('');
  const [title, setTitle] = useState('');
  const items = agents.data?.items ?? [];
  const agentId = chosen ?? items[0]?.id;
  const agent = items.find((candidate) => candidate.id === agentId);
  const { tooLarge } = promptSize(message);

  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (tooLarge || create.isPending) return;
    create.mutate(
      {
        ...(agentId !== undefined && { agentId }),
        ...(title.trim() !== '' && { title: title.trim() }),
        ...(message.trim() !== '' && { message }),
      },
      {
        onSuccess: (session) => {
          onClose();
          void navigate({ to: '/sessions/$id', params: { id: session.id } });
        },
      },
    );
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
  };

  return (
    <form onSubmit={submit}>
      <Stack>
        {agents.isError && (
          <ErrorCard
            error={agents.error}
            what="The agents could not be loaded"
            onRetry={() => void agents.refetch()}
          />
        )}
        {create.isError && <ErrorCard error={create.error} what="The session was not created" />}
        <Select
          label="Agent"
          data={items.map((item) => ({ value: item.id, label: item.name }))}
          value={agentId ?? null}
          onChange={setChosen}
          allowDeselect={false}
          searchable={items.length > 8}
          placeholder={agents.isPending ? 'Loading the agents' : 'No agents'}
          size="sm"
        />
        {agent !== undefined && (
          <Stack gap={4}>
            <StatusBadge status={agent.state} reason={agent.reason} />
            <Text size="xs" c="dimmed" lineClamp={3}>
              {agent.description}
            </Text>
          </Stack>
        )}
        <Textarea
          label="First message"
          description="Optional. Enter begins the session, Shift Enter makes a new line."
          autosize
          minRows={3}
          maxRows={10}
          value={message}
          onChange={(event) => setMessage(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          error={tooLarge ? 'The message is too long' : undefined}
          data-autofocus
        />
        <TextInput
          label="Title"
          description="Optional. Without one, the session is named after its first message."
          size="sm"
          value={title}
          maxLength={MAX_TITLE_LENGTH}
          onChange={(event) => setTitle(event.currentTarget.value)}
        />
        <Group justify="end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending} disabled={tooLarge || agentId === undefined}>
            Create session
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
