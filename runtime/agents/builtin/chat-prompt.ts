/** A prompt as the AI SDK takes it: text, and the files that go with it. */
import type { ModelMessage } from 'ai';
import type { PromptBlock } from './serve-stdio.ts';

type UserContent = Extract<ModelMessage, { role: 'user' }>['content'];
type Part = Exclude<UserContent, string>[number];

/** Text alone stays a string, which every server that speaks OpenAI's API takes. */
export function userContent(blocks: readonly PromptBlock[]): UserContent {
  const parts = blocks.map(partOf);
  return parts.every((part) => part.type === 'text') ? parts.map(({ text }) => text).join('\n') : parts;
}

function partOf(block: PromptBlock): Part {
  const { type, text, mimeType, data } = block;
  if (typeof text === 'string') return { type: 'text', text };
  if (typeof mimeType === 'string' && typeof data === 'string') {
    return { type: 'file', mediaType: mimeType, data };
  }
  const file = (block.resource ?? {}) as {
    uri?: unknown;
    mimeType?: unknown;
    text?: unknown;
    blob?: unknown;
  };
  const name = nameOf(file.uri);
  if (typeof file.text === 'string') return { type: 'text', text: `File ${name}:\n${file.text}` };
  if (typeof file.blob === 'string' && typeof file.mimeType === 'string') {
    return { type: 'file', mediaType: file.mimeType, data: file.blob, filename: name };
  }
  return { type: 'text', text: `[${type}]` };
}

function nameOf(uri: unknown): string {
  const last = typeof uri === 'string' ? uri.slice(uri.lastIndexOf('/') + 1) : '';
  try {
    return decodeURIComponent(last) || 'without a name';
  } catch {
    return last;
  }
}
