import * as z from 'zod';

/** One part of what a tool call shows (ACP `ToolCallContent`). What this version does not know is kept raw. */
export const toolContent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('diff'),
    path: z.string(),
    oldText: z.string().nullable(),
    newText: z.string(),
  }),
  z.object({ type: z.literal('image'), mimeType: z.string(), data: z.string().describe('base64') }),
  z.object({ type: z.literal('terminal'), terminalId: z.string() }),
  z.object({ type: z.literal('raw'), raw: z.unknown() }),
]);
export type ToolContent = z.infer<typeof toolContent>;

/** What a tool call is doing (ACP `ToolCallStatus`). */
export const toolCall = z.object({
  toolCallId: z.string(),
  title: z.string(),
  kind: z
    .string()
    .optional()
    .describe('ACP `ToolKind`: read, edit, delete, move, search, execute, think, fetch, other'),
  status: z.enum(['pending', 'in_progress', 'completed', 'failed']),
  content: z.string().optional().describe('its output as text'),
  parts: z.array(toolContent).optional().describe('its output, part by part'),
  locations: z.array(z.object({ path: z.string(), line: z.int().optional() })).optional(),
  rawInput: z.unknown().optional(),
  rawOutput: z.unknown().optional(),
});
export type ToolCall = z.infer<typeof toolCall>;
