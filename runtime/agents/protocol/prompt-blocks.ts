/** A prompt as ACP content blocks: its text, and each attachment in the best form that the agent takes. */
import { type AgentCapabilities, fault } from '../../contract/index.ts';
import type { PromptAttachment } from '../agents.ts';

type Takes = Pick<AgentCapabilities, 'image' | 'audio' | 'embeddedContext'>;
export type PromptBlock = { type: string } & Record<string, unknown>;

/**
 * Throws `session.attachment_unsupported`, which says what the agent takes. Files of text need nothing of the agent: where
 * it takes no embedded files they are written out in the prompt.
 */
export function promptBlocks(
  text: string,
  attachments: readonly PromptAttachment[],
  takes: Takes,
): PromptBlock[] {
  return [{ type: 'text', text }, ...attachments.map((attachment) => blockOf(attachment, takes))];
}

function blockOf(attachment: PromptAttachment, takes: Takes): PromptBlock {
  const { name, mimeType, bytes } = attachment;
  if (mimeType.startsWith('image/') && takes.image) return { type: 'image', mimeType, data: base64(bytes) };
  if (mimeType.startsWith('audio/') && takes.audio) return { type: 'audio', mimeType, data: base64(bytes) };
  const uri = `attachment:///${encodeURIComponent(name)}`;
  const text = textOf(bytes);
  if (text !== undefined) {
    return takes.embeddedContext
      ? { type: 'resource', resource: { uri, mimeType, text } }
      : { type: 'text', text: writtenOut(name, text) };
  }
  // An agent that takes embedded files, but no images, would be handed one by the back door.
  if (takes.embeddedContext && !/^(image|audio|video)\//.test(mimeType)) {
    return { type: 'resource', resource: { uri, mimeType, blob: base64(bytes) } };
  }
  throw fault(
    'session.attachment_unsupported',
    `The agent does not take “${name}” (${mimeType}). It takes ${takenInWords(takes)}.`,
    { name, mimeType, takes: { ...takes } },
  );
}

function takenInWords({ image, audio, embeddedContext }: Takes): string {
  const kinds = [
    'text files',
    ...(image ? ['images'] : []),
    ...(audio ? ['audio'] : []),
    ...(embeddedContext ? ['other files'] : []),
  ];
  return kinds.length === 1 ? `${kinds[0]} only` : `${kinds.slice(0, -1).join(', ')} and ${kinds.at(-1)}`;
}

/** A file in the text of a prompt. It begins with a blank line, which `replay.ts` relies on. */
function writtenOut(name: string, text: string): string {
  // The fence is longer than any in the file, so that the file cannot close it.
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `\n\nAttached file “${name}”:\n${fence}\n${text}${text.endsWith('\n') ? '' : '\n'}${fence}\n`;
}

/** The text of a file that is text: UTF-8 without NUL. */
function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
