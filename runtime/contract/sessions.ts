import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, idInput, MAX_SEARCH_LENGTH, MAX_TOLD_ID, page, pageQuery, timestamp } from './common.ts';
import { toolCall } from './tool-calls.ts';

/** Bytes of UTF-8 that a prompt may have unless settings say otherwise. */
export const MAX_PROMPT_BYTES = 1_048_576;

/** Bytes that one attachment may have, and all of one prompt together. */
export const MAX_ATTACHMENT_BYTES = 8 * 1_048_576;
export const MAX_ATTACHMENTS_BYTES = 20 * 1_048_576;

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
  cost: z
    .object({
      amount: z.number().nonnegative(),
      currency: z.string().describe('ISO 4217'),
      estimated: z.boolean().describe('by the price table, not told by the agent'),
    })
    .optional(),
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
  resentFrom: id.optional().describe('the interrupted turn whose prompt was sent again'),
  knownBy: z
    .enum(['new', 'kept', 'resumed', 'loaded', 'primed'])
    .optional()
    .describe(
      'how the agent process knew the session: it was new; it had it; by session/resume; by session/load; by the kept turns',
    ),
});
export type Turn = z.infer<typeof turn>;

/** A file or an image that goes with a prompt. */
export const attachmentInput = z.strictObject({
  name: z.string().trim().min(1).max(255),
  mimeType: z.string().min(1).max(200),
  data: z.base64().describe(`at most ${MAX_ATTACHMENT_BYTES} bytes`),
});
export type AttachmentInput = z.infer<typeof attachmentInput>;

/** The same in the transcript; its bytes are read at `GET /api/sessions/{id}/attachments/{attachmentId}`. */
export const attachment = z.object({
  id,
  name: z.string(),
  mimeType: z.string(),
  sizeBytes: z.int().nonnegative(),
});
export type Attachment = z.infer<typeof attachment>;

/** Images that a browser draws and that can carry no script; every other attachment is served as a file to be saved. */
export const PICTURE_TYPES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
]);

export const planEntry = z.object({
  content: z.string(),
  priority: z.string().optional(),
  status: z.string().describe('pending, in_progress, completed'),
});

/** One entry of the transcript. `kind` other than the first says what an agent did beside answering. */
export const message = z.object({
  id,
  turnId: id,
  role: z.enum(['user', 'agent']),
  kind: z.enum(['text', 'thought', 'tool_call', 'plan', 'content', 'raw']),
  text: z.string(),
  toolCall: toolCall.optional(),
  plan: z.array(planEntry).optional(),
  attachments: z.array(attachment).optional(),
  content: z
    .unknown()
    .optional()
    .describe('an ACP content block of the answer that is no text: image, audio, resource, resource_link'),
  raw: z
    .unknown()
    .optional()
    .describe('an update of a kind that this version does not know, kept as it came'),
  createdAt: timestamp,
  complete: z.boolean().describe('false while the entry is still streaming in'),
});
export type Message = z.infer<typeof message>;

/** What an agent offers in one session, as it told last. */
export const sessionAgent = z.object({
  modes: z
    .object({
      currentModeId: z.string(),
      availableModes: z.array(
        z.object({ id: z.string(), name: z.string(), description: z.string().optional() }),
      ),
    })
    .optional(),
  commands: z
    .array(z.object({ name: z.string(), description: z.string(), hint: z.string().optional() }))
    .optional(),
  options: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        description: z.string().optional(),
        category: z.string().optional(),
        value: z.union([z.string(), z.boolean()]),
        choices: z
          .array(z.object({ value: z.string(), name: z.string(), description: z.string().optional() }))
          .optional()
          .describe('absent for a switch'),
      }),
    )
    .optional(),
  contextWindow: z
    .object({ used: z.int().nonnegative(), size: z.int().nonnegative() })
    .optional()
    .describe('tokens'),
});
export type SessionAgent = z.infer<typeof sessionAgent>;

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
  waitingForYou: z.int().nonnegative().default(0).describe('how many items wait in "Needs you"'),
  agent: sessionAgent.optional().describe('what the agent told of this session'),
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

/** Where the bytes of an attachment are read; outside the contract because they are not JSON. */
export function attachmentPath(sessionId: string, attachmentId: string): string {
  return `/api/sessions/${encodeURIComponent(sessionId)}/attachments/${encodeURIComponent(attachmentId)}`;
}

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
    .input(
      z.strictObject({
        id,
        message: promptText,
        attachments: z.array(attachmentInput).max(20).optional(),
      }),
    )
    .output(turn),
  resend: oc
    .route({
      method: 'POST',
      path: '/sessions/{id}/resend',
      tags: ['sessions'],
      successStatus: 202,
      summary: 'Send the prompt of the last turn again, when that was interrupted or failed',
    })
    .input(z.strictObject({ id, turnId: id.describe('the last turn: a second click sends nothing twice') }))
    .output(turn),
  setMode: oc
    .route({
      method: 'POST',
      path: '/sessions/{id}/mode',
      tags: ['sessions'],
      summary: 'Switch the mode of the agent in this session (ACP `session/set_mode`)',
    })
    .input(z.strictObject({ id, modeId: z.string().min(1).max(MAX_TOLD_ID) }))
    .output(session),
  setOption: oc
    .route({
      method: 'POST',
      path: '/sessions/{id}/option',
      tags: ['sessions'],
      summary: 'Set an option of the agent in this session (ACP `session/set_config_option`)',
    })
    .input(
      z.strictObject({
        id,
        optionId: z.string().min(1).max(MAX_TOLD_ID),
        value: z.union([z.string().max(MAX_TOLD_ID), z.boolean()]),
      }),
    )
    .output(session),
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
