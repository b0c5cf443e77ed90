import { Group } from '@mantine/core';
import { CopyText } from './copy-text.tsx';
import { LongText } from './long-text.tsx';

/** What a program wrote, as it is, with a button that copies it. */
export function Output({ text, label }: { text: string; label: string }) {
  return (
    <Group align="start" wrap="nowrap" gap="xs">
      <div style={{ flex: 1, minWidth: 0 }}>
        <LongText text={text} monospace />
      </div>
      <CopyText label={label} text={() => text} />
    </Group>
  );
}
