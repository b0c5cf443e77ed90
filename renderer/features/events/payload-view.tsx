import { Button, CopyButton, Group, Text } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { formatBytes } from '../../lib/format.ts';
import classes from './payload-view.module.css';

/** UTF-16 units of a payload that are shown at first. */
const AT_FIRST = 65_536;
/** … and added by each click: more at once would hold up the page. */
const STEP = 1_048_576;

/** A value as JSON, the beginning of a large one at first, the rest on demand. */
export function PayloadView({ value, label }: { value: unknown; label: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? 'undefined', [value]);
  const [length, setLength] = useState(AT_FIRST);
  const rest = text.length - length;
  return (
    <>
      <Group justify="space-between" mb={6}>
        <Text size="xs" c="dimmed">
          {formatBytes(text.length)}
        </Text>
        <CopyButton value={text} timeout={1500}>
          {({ copied, copy }) => (
            <Button
              size="compact-xs"
              variant="default"
              leftSection={copied ? <IconCheck size={13} /> : <IconCopy size={13} />}
              onClick={copy}
            >
              {copied ? 'Copied' : `Copy ${label}`}
            </Button>
          )}
        </CopyButton>
      </Group>
      <pre className={classes.payload}>{text.slice(0, length)}</pre>
      {rest > 0 && (
        <Button variant="default" fullWidth mt="xs" onClick={() => setLength(length + STEP)}>
          Show {formatBytes(Math.min(rest, STEP))} more of {formatBytes(rest)}
        </Button>
      )}
    </>
  );
}
