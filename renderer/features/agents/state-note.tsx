import { Text } from '@mantine/core';
import type { Agent } from '#contract';
import { useNow } from '../../lib/now.ts';
import { stateNote } from './agent-words.ts';

/** The line below a state that counts down to what the runtime will do next, or says that nothing has come for long. */
export function StateNote({ agent }: { agent: Agent }) {
  const note = useNow((now) => stateNote(agent, now));
  if (note === undefined) return null;
  return (
    <Text size="xs" c="dimmed" truncate title={note}>
      {note}
    </Text>
  );
}
