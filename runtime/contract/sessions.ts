import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, idInput, MAX_SEARCH_LENGTH, page, pageQuery, timestamp } from './common.ts';

/** Bytes of UTF-8 that a prompt may have unless settings say otherwise. */
export const MAX_PROMPT_BYTES = 1_048_576;

/** What the user may expect of a session: in use, idle for `SESSION_TTL`, for `SESSION_EXPIRATION_DAYS`, or put away. */
export const sessionState = z.enum(['active', 'inactive', 'expired', 'archived']);
export type SessionState = z.infer<typeof sessionState>;

/** What the session is doing. `interrupted`: the process or the agent ended in mid-turn. `failed`: the last turn failed. */
export const sessionStatus = z.enum(['idle', 'busy', 'needs-you', 'interrupted', 'failed']);
export type SessionStatus = z.infer<typeof sessionStatus>;

/** How a turn stands. Only `running` can change, and only to one of the others. */
export const turnState = z.enum(['running', 'completed', 'cancelled', 'interrupted', 'failed']);
export type TurnState = z.infer<typeof turnState>;

/** Tokens that a turn or a session used, where the agent tells. */
export const usage = z.object({
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
});
export type Usage = z.infer<typeof usage>;

export const turnError = z.object({ code: z.string(), message: z.string() });

export const turn = z.object({
  id,
  sessionId: id,
  state: turnState,
  startedAt: timestamp,
  endedAt: timestamp.optional(),
  correlationId: z.string(),
  stopReason: z.string().optional().describe('the stop reason that the agent gave (ACP)'),
  error: turnError.optional(),
  usage: usage.optional(),
});
export type Turn = z.infer<typeof turn>;

/** What a tool call is doing (ACP `ToolCallStatus`). */
export const toolCall = z.object({
  toolCallId: z.string(),
  title: z.string(),
  kind: z.string().optional(),
  status: z.enum(['pending', 'in_progress', 'completed', 'failed']),
  content: z.string().optional().describe('its output as text'),
});

/** One entry of the transcript. `kind` other than the first says what an agent did beside answering. */
export const message = z.object({
  id,
  turnId: id,
  role: z.enum(['user', 'agent']),
  kind: z.enum(['text', 'thought', 'tool_call', 'plan', 'raw']),
  text: z.string(),
  toolCall: toolCall.optional(),
  raw: z
    .unknown()
    .optional()
    .describe('an update of a kind that this version does not know, kept as it came'),
  createdAt: timestamp,
  complete: z.boolean().describe('false while the entry is still streaming in'),
});
export type Message = z.infer<typeof message>;

export const session = z.object({
  id,
  title: z.string(),
  agentId: id,
  state: sessionState,
  status: sessionStatus,
  version: z.int().positive().describe('grows by one with each change'),
  createdAt: timestamp,
  updatedAt: timestamp,
  lastActivityAt: timestamp,
  messageCount: z.int().nonnegative(),
  sizeBytes: z.int().nonnegative().describe('bytes of the transcript'),
  usage,
  lastTurn: turn.optional(),
});
export type Session = z.infer<typeof session>;

export const sessionDetail = session.extend({ messages: z.array(message), turns: z.array(turn) });
export type SessionDetail = z.infer<typeof sessionDetail>;

export const title = z.string().trim().min(1).max(200);

const promptText = z
  .string()
  .min(1, 'the message is empty')
  .refine((text) => text.trim().length > 0, 'the message is empty')
  .describe(`at most ${MAX_PROMPT_BYTES} bytes of UTF-8`);

export const sessionListQuery = pageQuery.extend({
  state: sessionState.optional().describe('default: all but archived'),
  status: sessionStatus.optional(),
  agentId: id.optional(),
  search: z
    .string()
    .trim()
    .max(MAX_SEARCH_LENGTH)
    .optional()
    .describe('part of the title or the id, without regard to case'),
});

export const sessionRoutes = {
  list: oc
    .route({ method: 'GET', path: '/sessions', tags: ['sessions'], summary: 'Sessions, the last used first' })
    .input(sessionListQuery)
    .output(page(session)),
  create: oc
    .route({
      method: 'POST',
      path: '/sessions',
      tags: ['sessions'],
      successStatus: 201,
      summary: 'Create a session',
    })
    .input(
      z.strictObject({ message: promptText.optional(), agentId: id.optional(), title: title.optional() }),
    )
    .output(session),
  get: oc
    .route({
      method: 'GET',
      path: '/sessions/{id}',
      tags: ['sessions'],
      summary: 'A session with its messages',
    })
    .input(idInput)
    .output(sessionDetail),
  update: oc
    .route({
      method: 'PATCH',
      path: '/sessions/{id}',
      tags: ['sessions'],
      summary: 'Rename or archive a session',
    })
    .input(
      z.strictObject({
        id,
        title: title.optional(),
        archived: z.boolean().optional(),
        expectedVersion: z.int().positive().optional(),
      }),
    )
    .output(session),
  prompt: oc
    .route({
      method: 'POST',
      path: '/sessions/{id}/prompt',
      tags: ['sessions'],
      successStatus: 202,
      summary: 'Prompt the agent; the answer streams as events and is appended to the messages',
    })
    .input(z.strictObject({ id, message: promptText }))
    .output(turn),
  cancel: oc
    .route({
      method: 'POST',
      path: '/sessions/{id}/cancel',
      tags: ['sessions'],
      successStatus: 202,
      summary: 'Cancel the running turn',
    })
    .input(idInput)
    .output(turn),
  delete: oc
    .route({
      method: 'DELETE',
      path: '/sessions/{id}',
      tags: ['sessions'],
      successStatus: 204,
      summary: 'Delete a session and its messages',
    })
    .input(idInput)
    .output(z.void()),
};
