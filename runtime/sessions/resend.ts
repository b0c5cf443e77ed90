import { fault, type Turn } from '../contract/index.ts';
import type { Storage } from '../storage/storage.ts';
import { readAttachment } from './attachments.ts';
import type { SessionRecord } from './session-record.ts';
import { readTranscript } from './transcript.ts';
import type { Prompt } from './turns.ts';

/** Throws `session.nothing_to_resend` unless the turn is the last one and did not come to its end. */
export function refuseResend({ id, lastTurn }: SessionRecord, turnId: string): void {
  if (lastTurn?.id !== turnId) throw nothingToResend(id, turnId, 'it is not the last turn');
  if (canBeResent(lastTurn)) return;
  throw nothingToResend(id, turnId, 'it was neither interrupted nor has it failed');
}

/** The prompt of a turn, with its attachments, as it is to be sent again. Rejects with `session.nothing_to_resend`. */
export async function promptOf(storage: Storage, sessionId: string, turnId: string): Promise<Prompt> {
  const { messages } = await readTranscript(storage, sessionId);
  const sent = messages.find((message) => message.turnId === turnId && message.role === 'user');
  if (sent === undefined) throw nothingToResend(sessionId, turnId, 'its prompt is not there any more');
  const attachments = await Promise.all(
    (sent.attachments ?? []).map(async (attachment) => ({
      ...attachment,
      ...(await readAttachment(storage, sessionId, attachment.id)),
    })),
  );
  return { text: sent.text, attachments, resentFrom: turnId };
}

/** It was interrupted, it failed, or a budget ended it. */
function canBeResent(turn: Turn): boolean {
  if (turn.state === 'interrupted' || turn.state === 'failed') return true;
  return turn.state === 'cancelled' && turn.error?.code === 'budget.exhausted';
}

function nothingToResend(id: string, turnId: string, because: string): Error {
  return fault('session.nothing_to_resend', `The prompt of this turn cannot be sent again: ${because}.`, {
    id,
    turnId,
  });
}
