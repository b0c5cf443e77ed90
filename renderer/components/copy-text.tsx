import { ActionIcon, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconCheck, IconCopy } from '@tabler/icons-react';

/** A small button that copies a text, which is made only when it is asked for. */
export function CopyText({
  label,
  text,
  className,
}: {
  label: string;
  text: () => string;
  className?: string | undefined;
}) {
  const clipboard = useClipboard({ timeout: 1500 });
  return (
    <Tooltip label={clipboard.copied ? 'Copied' : label}>
      <ActionIcon
        {...(className !== undefined && { className })}
        aria-label={label}
        variant="subtle"
        color="gray"
        size="sm"
        onClick={() => clipboard.copy(text())}
      >
        {clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
      </ActionIcon>
    </Tooltip>
  );
}
