import { Button, Card, Group, Progress, Stack, Text } from '@mantine/core';
import { ErrorCard } from '../../components/error-card.tsx';
import { formatBytes } from '../../lib/format.ts';
import type { Import } from './use-imports.ts';

/** A file that is on its way into the backup folder, or why it was refused. */
export function ImportCard({ file }: { file: Import }) {
  if (file.error !== undefined) {
    return (
      <ErrorCard
        error={file.error}
        what={`“${file.fileName}” was not imported`}
        actions={
          <Button variant="default" onClick={file.dismiss}>
            Dismiss
          </Button>
        }
      />
    );
  }
  const share = file.sizeBytes === 0 ? 1 : file.sentBytes / file.sizeBytes;
  return (
    <Card component="section" aria-label={`Import of ${file.fileName}`} padding="sm">
      <Stack gap={6}>
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm" fw={500} truncate>
            Importing {file.fileName}
          </Text>
          <Button variant="default" onClick={file.dismiss}>
            Cancel import
          </Button>
        </Group>
        <Progress value={Math.min(100, share * 100)} aria-label={`Import of ${file.fileName}`} />
        <Text size="xs" c="dimmed">
          {share >= 1
            ? 'sent, is being checked'
            : `${formatBytes(file.sentBytes)} of ${formatBytes(file.sizeBytes)} sent`}
        </Text>
      </Stack>
    </Card>
  );
}
