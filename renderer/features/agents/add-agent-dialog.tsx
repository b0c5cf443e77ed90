import { Modal, SegmentedControl, Stack } from '@mantine/core';
import { useState } from 'react';
import { FoundAgents } from './found-agents.tsx';
import { NewAgentForm } from './new-agent-form.tsx';

const WAYS = [
  { value: 'found', label: 'Found on this machine' },
  { value: 'command', label: 'Command line' },
  { value: 'chat', label: 'Built-in chat' },
] as const;
type Way = (typeof WAYS)[number]['value'];

/** Adds agents: those that are installed already, a command of the user's that speaks ACP, or the built-in chat. */
export function AddAgentDialog({
  opened,
  onClose,
  onAdded,
}: {
  opened: boolean;
  onClose: () => void;
  onAdded: (id: string) => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add an agent" size="xl">
      <Ways onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function Ways({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }) {
  const [way, setWay] = useState<Way>('found');
  const added = (id: string): void => {
    onClose();
    onAdded(id);
  };
  return (
    <Stack gap="md">
      <SegmentedControl
        aria-label="Kind of agent"
        size="xs"
        value={way}
        onChange={setWay}
        data={WAYS.map((each) => ({ ...each }))}
      />
      {way === 'found' ? (
        <FoundAgents onClose={onClose} onAdded={added} onByCommand={() => setWay('command')} />
      ) : (
        // Each keeps fields of its own kind.
        <NewAgentForm key={way} kind={way} onClose={onClose} onAdded={added} />
      )}
    </Stack>
  );
}
