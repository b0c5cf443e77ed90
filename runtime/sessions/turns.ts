import { isCoded, messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { fault, type Turn, type Usage } from '../contract/index.ts';
import type { EventDraft } from '../events/event-bus.ts';
import type { Operation } from '../storage/storage.ts';
import { type PlacedAttachment, putAttachment, withoutBytes } from './attachments.ts';
import { type SessionRecord, statusOf, titleOf } from './session-record.ts';
import type { Batch } from './session-store.ts';
import { type StoredMessage, transcriptLog } from './transcript.ts';

const ENDED = {
  running: 'is over',
  completed: 'is over',
  cancelled: 'was cancelled',
  interrupted: 'was interrupted',
  failed: 'failed',
} as const satisfies Record<Turn['state'], string>;

/** Why a turn is aborted; the message says it in words. */
export class TurnOver extends Error {
  constructor(state: Turn['state']) {
    super(`the turn ${ENDED[state]}`);
    this.name = 'TurnOver';
  }
}

/** The event that tells how a turn stands. */
export function turnChanged(turn: Turn): EventDraft {
  return {
    topic: 'session.turn.changed',
    subject: turn.sessionId,
    correlationId: turn.correlationId,
    data: turn,
  };
}

/** The entry of the transcript that tells how a turn stands. */
export function turnEntry(turn: Turn): Operation {
  return { kind: 'append', log: transcriptLog(turn.sessionId), value: { type: 'turn', turn } };
}

export function tooLarge(id: string, sizeBytes: number, limit: number): Error {
  return fault(
    'session.too_large',
    `The session would grow to ${sizeBytes} bytes, which is more than the ${limit} of MAX_SESSION_SIZE. Go on in a new session.`,
    { id, sizeBytes, limit },
  );
}

export function busy(id: string, action: string): Error {
  return fault('session.busy', `The session is answering: it can be ${action} once the turn has ended.`, {
    id,
  });
}

/** What the user says. Attachments of a prompt that is sent again are stored already. */
export interface Prompt {
  text: string;
  attachments: PlacedAttachment[];
  resentFrom?: string;
}

/** A turn that begins: the session as it is then, and what is to be committed for it. Throws `session.too_large`. */
export function beginTurn(
  record: SessionRecord,
  prompt: Prompt,
  context: { now: number; makeId: MakeId; correlationId: string; maxSizeBytes: number },
): { record: SessionRecord; turn: Turn; batch: Batch } {
  const { now, makeId, correlationId } = context;
  const { text, attachments, resentFrom } = prompt;
  const added = resentFrom === undefined ? attachments : [];
  const sizeBytes =
    record.sizeBytes +
    Buffer.byteLength(text) +
    added.reduce((sum, attachment) => sum + attachment.sizeBytes, 0);
  if (sizeBytes > context.maxSizeBytes) throw tooLarge(record.id, sizeBytes, context.maxSizeBytes);
  const turn: Turn = {
    id: timeOrderedId(now, makeId),
    sessionId: record.id,
    state: 'running',
    startedAt: now,
    correlationId,
    ...(resentFrom === undefined ? {} : { resentFrom }),
  };
  const message: StoredMessage = {
    id: timeOrderedId(now, makeId),
    turnId: turn.id,
    role: 'user',
    kind: 'text',
    text,
    ...(attachments.length === 0 ? {} : { attachments: attachments.map(withoutBytes) }),
    createdAt: now,
  };
  return {
    turn,
    record: {
      ...record,
      ...(record.titledBy === 'nobody' ? { title: titleOf(text), titledBy: 'prompt' } : {}),
      state: 'active',
      status: 'busy',
      waitingForYou: 0,
      updatedAt: now,
      lastActivityAt: now,
      messageCount: record.messageCount + 1,
      sizeBytes,
      attachmentCount: record.attachmentCount + added.length,
      lastTurn: turn,
    },
    batch: {
      operations: [
        ...added.map(putAttachment),
        turnEntry(turn),
        { kind: 'append', log: transcriptLog(record.id), value: { type: 'message', message } },
      ],
      drafts: [
        turnChanged(turn),
        {
          topic: 'session.message.completed',
          subject: record.id,
          correlationId,
          data: { sessionId: record.id, message: { ...message, complete: true } },
        },
      ],
    },
  };
}

/** The session as it is when its turn has ended. */
export function withEndedTurn(
  record: SessionRecord,
  turn: Turn,
  added: { messageCount: number; sizeBytes: number; waitingForYou: number },
  now: number,
): SessionRecord {
  return {
    ...record,
    status: statusOf({ lastTurn: turn, waitingForYou: added.waitingForYou }),
    waitingForYou: added.waitingForYou,
    updatedAt: now,
    lastActivityAt: now,
    messageCount: record.messageCount + added.messageCount,
    sizeBytes: record.sizeBytes + added.sizeBytes,
    usage: addUsage(record.usage, turn.usage),
    lastTurn: turn,
  };
}

/** Amounts of different currencies cannot be added: the first one that was told stays. */
export function addUsage(sum: Usage, added: Usage | undefined): Usage {
  if (added === undefined) return sum;
  const cost = addCost(sum.cost, added.cost);
  return {
    inputTokens: sum.inputTokens + added.inputTokens,
    outputTokens: sum.outputTokens + added.outputTokens,
    ...(cost === undefined ? {} : { cost }),
  };
}

function addCost(sum: Usage['cost'], added: Usage['cost']): Usage['cost'] {
  if (sum === undefined || added === undefined) return sum ?? added;
  if (sum.currency !== added.currency) return sum;
  return {
    amount: sum.amount + added.amount,
    currency: sum.currency,
    estimated: sum.estimated || added.estimated,
  };
}

/** An error as a turn keeps it. */
export function toTurnError(error: unknown): NonNullable<Turn['error']> {
  return isCoded(error)
    ? { code: error.code, message: error.message }
    : { code: 'runtime.failed', message: messageOf(error) };
}

/** True for what ends a turn from outside, through no fault of the prompt: the same prompt can be sent again. */
export function endsInMidTurn(error: unknown): boolean {
  return ['agent.crashed', 'agent.unresponsive', 'runtime.stopped'].some((code) => isCoded(error, code));
}
