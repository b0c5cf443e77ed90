import { Button, CopyButton, Group, ScrollArea, Text } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useMemo } from 'react';
import type { SessionDetail } from '#contract';
import { LongText } from '../../components/long-text.tsx';
import { formatBytes } from '../../lib/format.ts';

/** The session as the API tells it. */
export function RawView({ session }: { session: SessionDetail }) {
  const json = useMemo(() => JSON.stringify(session, null, 2), [session]);
  return (
    <>
      <Group justify="space-between" pt="xs">
        <Text size="xs" c="dimmed">
          GET /api/sessions/{session.id} · {formatBytes(json.length)}
        </Text>
        <CopyButton value={json} timeout={1500}>
          {({ copied, copy }) => (
            <Button
              variant="default"
              leftSection={copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
              onClick={copy}
            >
              {copied ? 'Copied' : 'Copy JSON'}
            </Button>
          )}
        </CopyButton>
      </Group>
      <ScrollArea
        flex={1}
        mih={0}
        type="auto"
        viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': 'Session as JSON' }}
      >
        <LongText text={json} monospace />
      </ScrollArea>
    </>
  );
}
