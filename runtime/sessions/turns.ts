import { isCoded, messageOf } from '../base/errors.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import { fault, type Session, type Turn } from '../contract/index.ts';
import type { EventDraft } from '../events/event-bus.ts';
import type { Operation } from '../storage/storage.ts';
import { type SessionRecord, titleOf } from './session-record.ts';
import type { Batch } from './session-store.ts';
import { type StoredMessage, transcriptLog } from './transcript.ts';

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

/** A turn that begins: the session as it is then, and what is to be committed for it. Throws `session.too_large`. */
export function beginTurn(
  record: SessionRecord,
  text: string,
  context: { now: number; makeId: MakeId; correlationId: string; maxSizeBytes: number },
): { record: SessionRecord; turn: Turn; batch: Batch } {
  const { now, makeId, correlationId } = context;
  const sizeBytes = record.sizeBytes + Buffer.byteLength(text);
  if (sizeBytes > context.maxSizeBytes) throw tooLarge(record.id, sizeBytes, context.maxSizeBytes);
  const turn: Turn = {
    id: timeOrderedId(now, makeId),
    sessionId: record.id,
    state: 'running',
    startedAt: now,
    correlationId,
  };
  const prompt: StoredMessage = {
    id: timeOrderedId(now, makeId),
    turnId: turn.id,
    role: 'user',
    kind: 'text',
    text,
    createdAt: now,
  };
  return {
    turn,
    record: {
      ...record,
      ...(record.untitled ? { title: titleOf(text), untitled: false } : {}),
      state: 'active',
      status: 'busy',
      updatedAt: now,
      lastActivityAt: now,
      messageCount: record.messageCount + 1,
      sizeBytes,
      lastTurn: turn,
    },
    batch: {
      operations: [
        turnEntry(turn),
        { kind: 'append', log: transcriptLog(record.id), value: { type: 'message', message: prompt } },
      ],
      drafts: [
        turnChanged(turn),
        {
          topic: 'session.message.completed',
          subject: record.id,
          correlationId,
          data: { sessionId: record.id, message: { ...prompt, complete: true } },
        },
      ],
    },
  };
}

/** The session as it is when its turn has ended. */
export function withEndedTurn(
  record: SessionRecord,
  turn: Turn,
  added: { messageCount: number; sizeBytes: number },
  now: number,
): SessionRecord {
  return {
    ...record,
    status: statusAfter(turn),
    updatedAt: now,
    lastActivityAt: now,
    messageCount: record.messageCount + added.messageCount,
    sizeBytes: record.sizeBytes + added.sizeBytes,
    usage: {
      inputTokens: record.usage.inputTokens + (turn.usage?.inputTokens ?? 0),
      outputTokens: record.usage.outputTokens + (turn.usage?.outputTokens ?? 0),
    },
    lastTurn: turn,
  };
}

/** What the session's status becomes when a turn has ended. */
export function statusAfter(turn: Turn): Session['status'] {
  if (turn.state === 'interrupted') return 'interrupted';
  return turn.state === 'failed' ? 'failed' : 'idle';
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
