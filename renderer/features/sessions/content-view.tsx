import { Anchor, Code, Image, Stack, Text } from '@mantine/core';
import { IconPaperclip } from '@tabler/icons-react';
import * as z from 'zod';
import type { Message } from '#contract';
import { LongText } from '../../components/long-text.tsx';
import { Disclosure } from './disclosure.tsx';

/** The content blocks of ACP that are no text. They come from an agent, so that nothing of them is taken for granted. */
const block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('image'), mimeType: z.string().regex(/^image\//), data: z.base64() }),
  z.object({ type: z.literal('audio'), mimeType: z.string().regex(/^audio\//), data: z.base64() }),
  z.object({ type: z.literal('resource_link'), uri: z.string(), name: z.string() }),
  z.object({
    type: z.literal('resource'),
    resource: z.object({ uri: z.string(), text: z.string().optional() }),
  }),
]);

/** A part of the answer that is no text: a picture, a sound, a file or a link to one. */
export function ContentView({ message }: { message: Message }) {
  const { data } = block.safeParse(message.content);
  switch (data?.type) {
    case 'image':
      return (
        <Image
          src={`data:${data.mimeType};base64,${data.data}`}
          alt={message.text === '' ? 'Picture of the agent' : message.text}
          maw={560}
          w="auto"
          radius="sm"
        />
      );
    case 'audio':
      return (
        // biome-ignore lint/a11y/useMediaCaption: an agent gives no captions with what it says
        <audio controls src={`data:${data.mimeType};base64,${data.data}`} aria-label="Sound of the agent" />
      );
    case 'resource_link':
      return (
        <Text size="sm">
          <IconPaperclip size={14} aria-hidden />{' '}
          {/^https?:/.test(data.uri) ? (
            <Anchor href={data.uri} target="_blank" rel="noreferrer">
              {data.name}
            </Anchor>
          ) : (
            <Code>{data.uri}</Code>
          )}
        </Text>
      );
    case 'resource':
      return (
        <Disclosure
          icon={<IconPaperclip size={16} aria-hidden />}
          label={<Text size="sm">{data.resource.uri}</Text>}
        >
          {() => <LongText text={data.resource.text ?? 'Not a text'} monospace />}
        </Disclosure>
      );
    default:
      return (
        <Stack gap={2}>
          <Text size="xs" c="dimmed">
            Content of a kind that this version does not show
          </Text>
          <LongText text={JSON.stringify(message.content, null, 2) ?? ''} monospace />
        </Stack>
      );
  }
}
