import { ActionIcon, Code, CopyButton as CopyValue, Group, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { shortId } from '../lib/format.ts';

/** A small button that copies `value`; `label` says what is copied: "Copy id". */
export function CopyButton({ value, label }: { value: string; label: string }) {
  return (
    <CopyValue value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : label}>
          <ActionIcon
            size="xs"
            variant="subtle"
            color="gray"
            aria-label={copied ? 'Copied' : label}
            onClick={(event) => {
              // In a row that opens on a click, copying must not open it.
              event.stopPropagation();
              copy();
            }}
          >
            {copied ? <IconCheck size={13} /> : <IconCopy size={13} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyValue>
  );
}

/** An id, shortened in the middle, whole in the tooltip, with a button to copy it. */
export function ShortId({ id, label = 'Copy id', ends }: { id: string; label?: string; ends?: number }) {
  return (
    <Group gap={2} wrap="nowrap" component="span" display="inline-flex">
      <Tooltip label={id} openDelay={400}>
        <Code bg="transparent" px={0} c="dimmed">
          {shortId(id, ends)}
        </Code>
      </Tooltip>
      <CopyButton value={id} label={label} />
    </Group>
  );
}
