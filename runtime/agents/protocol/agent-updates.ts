/**
 * What an agent tells while it answers (ACP `session/update`) as {@link AgentUpdate}s. It comes from outside: what does not
 * have the shape that this version knows is kept raw, and never takes its neighbours with it.
 */
import * as z from 'zod';
import type { AgentUpdate } from '../agents.ts';

type ToolCall = Extract<AgentUpdate, { kind: 'tool_call' }>['toolCall'];

const textChunk = z.object({ content: z.object({ type: z.literal('text'), text: z.string() }) });

const toolContent = z.union([
  z
    .object({ type: z.literal('content'), content: z.object({ type: z.literal('text'), text: z.string() }) })
    .transform(({ content }) => content.text),
  z
    .object({
      type: z.literal('diff'),
      path: z.string(),
      oldText: z.string().nullish(),
      newText: z.string(),
    })
    .transform(({ path, oldText, newText }) =>
      [path, ...marked('-', oldText ?? ''), ...marked('+', newText)].join('\n'),
    ),
  z.object({ type: z.literal('terminal'), terminalId: z.string() }).transform(() => '[terminal]'),
  z.unknown().transform((value) => JSON.stringify(value) ?? ''),
]);

const toolUpdate = z.object({
  toolCallId: z.string(),
  title: z.string().nullish(),
  kind: z.string().nullish(),
  status: z.enum(['pending', 'in_progress', 'completed', 'failed']).nullish(),
  content: z.array(toolContent).nullish(),
});

const plan = z.object({
  entries: z.array(z.object({ content: z.string(), status: z.string().optional() })),
});

/** Updates that are known and say nothing for the transcript: what the agent offers, and our own words repeated. */
const NOT_FOR_THE_TRANSCRIPT = new Set([
  'user_message_chunk',
  'available_commands_update',
  'current_mode_update',
  'config_option_update',
  'session_info_update',
  'usage_update',
]);

const PLAN_MARKS: Record<string, string> = { completed: '[x]', in_progress: '[~]' };

/** Maps the updates of one turn: tool calls come in pieces, and are told whole. */
export class UpdateMapper {
  readonly #toolCalls = new Map<string, ToolCall>();

  /** The update for the transcript, or undefined when it has none. */
  map(update: unknown): AgentUpdate | undefined {
    const kind = (update as { sessionUpdate?: unknown } | null)?.sessionUpdate;
    switch (kind) {
      case 'agent_message_chunk':
      case 'agent_thought_chunk': {
        const chunk = textChunk.safeParse(update);
        if (!chunk.success) break;
        return {
          kind: kind === 'agent_message_chunk' ? 'text' : 'thought',
          text: chunk.data.content.text,
        };
      }
      case 'tool_call':
      case 'tool_call_update': {
        const told = toolUpdate.safeParse(update);
        if (!told.success) break;
        return { kind: 'tool_call', toolCall: this.#merge(told.data) };
      }
      case 'plan': {
        const told = plan.safeParse(update);
        if (!told.success) break;
        return {
          kind: 'plan',
          text: told.data.entries
            .map((entry) => `${PLAN_MARKS[entry.status ?? ''] ?? '[ ]'} ${entry.content}`)
            .join('\n'),
        };
      }
      default:
        if (typeof kind === 'string' && NOT_FOR_THE_TRANSCRIPT.has(kind)) return undefined;
    }
    return { kind: 'raw', raw: update };
  }

  #merge(told: z.infer<typeof toolUpdate>): ToolCall {
    const before = this.#toolCalls.get(told.toolCallId);
    const kind = told.kind ?? before?.kind;
    const content = told.content?.join('\n') ?? before?.content;
    const merged: ToolCall = {
      toolCallId: told.toolCallId,
      title: told.title ?? before?.title ?? told.toolCallId,
      status: told.status ?? before?.status ?? 'pending',
      ...(kind === undefined ? {} : { kind }),
      ...(content === undefined ? {} : { content }),
    };
    this.#toolCalls.set(told.toolCallId, merged);
    return merged;
  }
}

function marked(mark: '+' | '-', text: string): string[] {
  return text === '' ? [] : text.split('\n').map((line) => `${mark} ${line}`);
}
