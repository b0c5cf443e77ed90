import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Turn } from '../contract/index.ts';
import type { Storage } from '../storage/storage.ts';
import type { NeedsYouDesk } from './needs-you/needs-you.ts';
import { statusOf } from './session-record.ts';
import type { SessionStore } from './session-store.ts';
import { readTranscript, transcriptLog } from './transcript.ts';
import { addUsage, turnChanged, turnEntry } from './turns.ts';

const DAY_MS = 86_400_000;

/**
 * Marks the turns that were running when the process ended as interrupted, so that nothing is "running" that does not
 * run, and withdraws what waited for the user meanwhile. What a turn had used is in its last entry. Each session in one
 * commit: killed in the middle, the next start does the rest.
 */
export async function recoverInterrupted(context: {
  storage: Storage;
  store: SessionStore;
  needsYou: Pick<NeedsYouDesk, 'withdraw'>;
  clock: Clock;
  logger: Logger;
}): Promise<void> {
  const { storage, store, needsYou, clock, logger } = context;
  for await (const { id } of store.matching([{ field: 'status', in: ['busy', 'needs-you'] }])) {
    const transcript = await readTranscript(storage, id);
    // It ended when it last gave a sign, not when that was found out.
    const [lastSign] = await storage.read(transcriptLog(id), { reverse: true, limit: 1 });
    const endedAt = lastSign?.at ?? clock.now();
    const interrupted = transcript.turns
      .filter((turn) => turn.state === 'running')
      .map(
        (turn): Turn => ({
          ...turn,
          state: 'interrupted',
          endedAt,
          error: { code: 'runtime.stopped', message: 'The app stopped while the agent was answering.' },
        }),
      );
    const last = interrupted.at(-1) ?? transcript.turns.at(-1);
    const withdrawal = needsYou.withdraw(id, 'the app stopped meanwhile');
    const sizeBytes = transcript.messages.reduce((sum, message) => sum + Buffer.byteLength(message.text), 0);
    await store.change(id, last?.correlationId ?? id, (record) => ({
      record: {
        ...record,
        status: statusOf({ waitingForYou: 0, ...(last === undefined ? {} : { lastTurn: last }) }),
        waitingForYou: 0,
        updatedAt: clock.now(),
        messageCount: transcript.messages.length,
        sizeBytes: Math.max(record.sizeBytes, sizeBytes),
        usage: interrupted.reduce((sum, turn) => addUsage(sum, turn.usage), record.usage),
        ...(last === undefined ? {} : { lastTurn: last }),
      },
      batch: {
        operations: [...interrupted.map(turnEntry), ...withdrawal.batch.operations],
        drafts: [...interrupted.map(turnChanged), ...withdrawal.batch.drafts],
      },
    }));
    withdrawal.done();
    if (interrupted.length === 0) continue;
    logger.warn('A session was in mid-turn when the app stopped: its turn is marked as interrupted', {
      sessionId: id,
    });
  }
}

/** Ages idle sessions: active, after `ttlSeconds` inactive, after `expirationDays` expired. */
export async function ageSessions(context: {
  store: SessionStore;
  clock: Clock;
  ttlSeconds: number;
  expirationDays: number;
  /** Left alone. */
  isRunning: (id: string) => boolean;
}): Promise<void> {
  const { store, clock } = context;
  const now = clock.now();
  const steps = [
    { from: 'active', to: 'inactive', below: now - context.ttlSeconds * 1000 },
    { from: 'inactive', to: 'expired', below: now - context.expirationDays * DAY_MS },
  ] as const;
  for (const { from, to, below } of steps) {
    const idle = store.matching([
      { field: 'state', is: from },
      { field: 'lastActivityAt', from: 0, below },
    ]);
    for await (const { id } of idle) {
      await store.queue.run(id, () =>
        store.change(id, id, (record) => {
          if (record.state !== from || record.lastActivityAt >= below || context.isRunning(id))
            return undefined;
          return { record: { ...record, state: to, updatedAt: now } };
        }),
      );
    }
  }
}
