/**
 * What an agent tells while it answers (ACP `session/update`) as {@link AgentUpdate}s. It comes from outside: what does not
 * have the shape that this version knows is kept raw, and never takes its neighbours with it.
 */
import * as z from 'zod';
import type { ToolCall } from '../../contract/index.ts';
import type { AgentUpdate } from '../agents.ts';
import { contentInWords } from './content-in-words.ts';
import { boundedValue } from './json-bounds.ts';
import { mergedToolCall, toolUpdate } from './tool-updates.ts';

/** Characters of JSON that an update of an unknown kind may have, and a part of an answer that is no text. */
const MAX_RAW = 256 * 1024;
const MAX_CONTENT = 12 * 1024 * 1024;
const MAX_PLAN_ENTRIES = 500;
/** Tool calls of one turn whose pieces are kept together; an older one that is heard of again starts anew. */
const MAX_TOOL_CALLS = 1000;

const plan = z.object({
  entries: z.array(
    z.object({
      content: z.string(),
      priority: z.string().optional().catch(undefined),
      status: z.string().optional().catch(undefined),
    }),
  ),
});

/** Updates that say nothing for the transcript: what the agent offers (see `session-telling.ts`), and our own words. */
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
    const { sessionUpdate: kind, content } = (update ?? {}) as { sessionUpdate?: unknown; content?: unknown };
    switch (kind) {
      case 'agent_message_chunk': {
        const text = textOf(content);
        if (text !== undefined) return { kind: 'text', text };
        if (typeof (content as { type?: unknown } | null)?.type !== 'string') break;
        return {
          kind: 'content',
          text: contentInWords(content),
          content: boundedValue(content, MAX_CONTENT),
        };
      }
      case 'agent_thought_chunk': {
        const text = textOf(content);
        if (text === undefined) break;
        return { kind: 'thought', text };
      }
      case 'tool_call':
      case 'tool_call_update': {
        const toolCall = this.toolCall(update);
        if (toolCall === undefined) break;
        return { kind: 'tool_call', toolCall };
      }
      case 'plan': {
        const told = plan.safeParse(update);
        if (!told.success) break;
        return toPlan(told.data);
      }
      default:
        if (typeof kind === 'string' && NOT_FOR_THE_TRANSCRIPT.has(kind)) return undefined;
    }
    return { kind: 'raw', raw: boundedValue(update, MAX_RAW) };
  }

  /** A tool call as it stands with this update; undefined when it is none. */
  toolCall(update: unknown): ToolCall | undefined {
    const told = toolUpdate.safeParse(update);
    if (!told.success) return undefined;
    const merged = mergedToolCall(this.#toolCalls.get(told.data.toolCallId), told.data);
    this.#toolCalls.delete(merged.toolCallId);
    this.#toolCalls.set(merged.toolCallId, merged);
    if (this.#toolCalls.size > MAX_TOOL_CALLS) {
      const [oldest] = this.#toolCalls.keys();
      if (oldest !== undefined) this.#toolCalls.delete(oldest);
    }
    return merged;
  }
}

/** The text of a content block that is text; this is the common case, so it takes no schema. */
function textOf(content: unknown): string | undefined {
  const { type, text } = (content ?? {}) as { type?: unknown; text?: unknown };
  return type === 'text' && typeof text === 'string' ? text : undefined;
}

function toPlan({ entries }: z.infer<typeof plan>): AgentUpdate {
  const kept = entries.slice(0, MAX_PLAN_ENTRIES);
  return {
    kind: 'plan',
    text: kept.map(({ content, status }) => `${PLAN_MARKS[status ?? ''] ?? '[ ]'} ${content}`).join('\n'),
    plan: kept.map(({ content, priority, status }) => ({
      content,
      ...(priority === undefined ? {} : { priority }),
      status: status ?? 'pending',
    })),
  };
}
