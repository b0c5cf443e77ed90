import { Anchor, Group, Image, Text } from '@mantine/core';
import { IconPaperclip } from '@tabler/icons-react';
import { type Attachment, attachmentPath, PICTURE_TYPES } from '#contract';
import { formatBytes } from '../../lib/format.ts';

/** What went with a prompt: pictures small, files by name; each opens or is saved by a click. */
export function Attachments({
  sessionId,
  attachments,
}: {
  sessionId: string | undefined;
  attachments: readonly Attachment[] | undefined;
}) {
  if (sessionId === undefined || attachments === undefined || attachments.length === 0) return null;
  return (
    <Group gap="xs" mt={6} component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Attachments">
      {attachments.map(({ id, name, mimeType, sizeBytes }) => (
        <li key={id}>
          <Anchor href={attachmentPath(sessionId, id)} target="_blank" rel="noreferrer" size="xs">
            {PICTURE_TYPES.has(mimeType) ? (
              <Image
                src={attachmentPath(sessionId, id)}
                alt={name}
                title={`${name}, ${formatBytes(sizeBytes)}`}
                h={72}
                w="auto"
                radius="sm"
              />
            ) : (
              <Group gap={4} wrap="nowrap">
                <IconPaperclip size={14} aria-hidden />
                {name}
                <Text span size="xs" c="dimmed">
                  {formatBytes(sizeBytes)}
                </Text>
              </Group>
            )}
          </Anchor>
        </li>
      ))}
    </Group>
  );
}
