/** Tool calls as ACP tells them, piece by piece (`tool_call`, `tool_call_update`, the subject of a permission). */
import * as z from 'zod';
import type { ToolCall, ToolContent } from '../../contract/index.ts';
import { contentInWords } from './content-in-words.ts';
import { boundedList, boundedText, boundedValue } from './json-bounds.ts';

/** What is kept of a tool call; characters are UTF-16 units. A whole file may be in a diff, an image is base64. */
const MAX_TITLE = 2000;
const MAX_TEXT = 256 * 1024;
const MAX_IMAGE = 8 * 1024 * 1024;
const MAX_RAW = 64 * 1024;
const MAX_PARTS = 200;
const MAX_ALL_PARTS = 12 * 1024 * 1024;
const MAX_LOCATIONS = 200;

const text = z.string().transform((told) => boundedText(told, MAX_TEXT));

const part = z.union([
  z
    .object({ type: z.literal('content'), content: z.object({ type: z.literal('text'), text }) })
    .transform(({ content }): ToolContent => ({ type: 'text', text: content.text })),
  z
    .object({
      type: z.literal('content'),
      content: z.object({
        type: z.literal('image'),
        mimeType: z.string().max(200),
        data: z.string().max(MAX_IMAGE),
      }),
    })
    .transform(({ content: { mimeType, data } }): ToolContent => ({ type: 'image', mimeType, data })),
  z.object({ type: z.literal('diff'), path: z.string(), oldText: text.nullish(), newText: text }).transform(
    ({ path, oldText, newText }): ToolContent => ({
      type: 'diff',
      path,
      oldText: oldText ?? null,
      newText,
    }),
  ),
  z
    .object({ type: z.literal('terminal'), terminalId: z.string() })
    .transform(({ terminalId }): ToolContent => ({ type: 'terminal', terminalId })),
  z.unknown().transform((raw): ToolContent => ({ type: 'raw', raw: boundedValue(raw, MAX_RAW) })),
]);

const location = z.object({ path: z.string(), line: z.int().nullish().catch(undefined) });

export const toolUpdate = z.object({
  toolCallId: z.string(),
  title: z.string().nullish(),
  kind: z.string().nullish(),
  status: z.enum(['pending', 'in_progress', 'completed', 'failed']).nullish(),
  content: z
    .array(z.unknown())
    .transform((parts) =>
      boundedList(
        parts.slice(0, MAX_PARTS).map((value) => part.parse(value)),
        MAX_ALL_PARTS,
        (text): ToolContent => ({ type: 'text', text }),
      ),
    )
    .nullish(),
  locations: z
    .array(location)
    .transform((told) => told.slice(0, MAX_LOCATIONS))
    .nullish()
    .catch(undefined),
  rawInput: z.unknown().optional(),
  rawOutput: z.unknown().optional(),
});
export type ToolUpdate = z.infer<typeof toolUpdate>;

/** The tool call after the update: what the update does not tell is as it was. */
export function mergedToolCall(before: ToolCall | undefined, told: ToolUpdate): ToolCall {
  const parts = told.content ?? undefined;
  return {
    ...before,
    toolCallId: told.toolCallId,
    title: boundedText(told.title ?? before?.title ?? told.toolCallId, MAX_TITLE),
    status: told.status ?? before?.status ?? 'pending',
    ...(told.kind == null ? {} : { kind: told.kind }),
    ...(parts === undefined ? {} : { parts, content: partsInWords(parts) }),
    ...(told.locations == null ? {} : { locations: told.locations.map(toLocation) }),
    ...(told.rawInput == null ? {} : { rawInput: boundedValue(told.rawInput, MAX_RAW) }),
    ...(told.rawOutput == null ? {} : { rawOutput: boundedValue(told.rawOutput, MAX_RAW) }),
  };
}

function toLocation({ path, line }: z.infer<typeof location>): NonNullable<ToolCall['locations']>[number] {
  return line == null ? { path } : { path, line };
}

function partsInWords(parts: readonly ToolContent[]): string {
  return boundedText(parts.map(partInWords).join('\n'), MAX_TEXT);
}

function partInWords(told: ToolContent): string {
  switch (told.type) {
    case 'text':
      return told.text;
    case 'diff':
      return [told.path, ...marked('-', told.oldText ?? ''), ...marked('+', told.newText)].join('\n');
    case 'image':
      return contentInWords({ type: 'image', mimeType: told.mimeType });
    case 'terminal':
      return '[terminal]';
    case 'raw':
      return rawInWords(told.raw);
  }
}

/** A part of ACP that we do not draw (a resource, audio) reads as text; anything else as its JSON. */
function rawInWords(raw: unknown): string {
  const { type, content } = (raw ?? {}) as { type?: unknown; content?: unknown };
  return type === 'content' ? contentInWords(content) : (JSON.stringify(raw) ?? '');
}

function marked(mark: '+' | '-', told: string): string[] {
  return told === '' ? [] : told.split('\n').map((line) => `${mark} ${line}`);
}
