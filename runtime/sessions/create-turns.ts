import type { Agents, SessionTold } from '../agents/agents.ts';
import type { Clock } from '../base/clock.ts';
import { isCoded, messageOf } from '../base/errors.ts';
import type { MakeId } from '../base/ids.ts';
import type { Logger } from '../base/logger.ts';
import { type BudgetNotice, fault, type Message, type Session, type Turn } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Settings } from '../settings/settings.ts';
import type { Storage } from '../storage/storage.ts';
import { decodeAttachments, placeAttachments } from './attachments.ts';
import type { BudgetDesk, SessionAccount } from './budgets/budgets.ts';
import type { NeedsYouDesk, Withdrawal } from './needs-you/needs-you.ts';
import { PendingEnds } from './pending-ends.ts';
import { promptOf, refuseResend } from './resend.ts';
import type { SessionRecord } from './session-record.ts';
import type { Batch, SessionStore } from './session-store.ts';
import type { SessionTellings } from './session-tellings.ts';
import type { Sessions } from './sessions.ts';
import { historyOf, readTranscript } from './transcript.ts';
import { type TurnEnd, TurnRunner } from './turn-runner.ts';
import {
  beginTurn,
  busy,
  type Prompt,
  TurnOver,
  toTurnError,
  turnChanged,
  turnEntry,
  withEndedTurn,
} from './turns.ts';

/** A turn that is about to begin: what is to be committed, and what is to be done then. */
interface Opening {
  turn: Turn;
  /** The session as it is with the turn. */
  record: SessionRecord;
  batch: Batch;
  /** Throws `budget.exhausted`. */
  refuse(): void;
  /** The commit is durable: the agent is asked. */
  run(session: Session): void;
  /** The commit failed. */
  failed(error: unknown): void;
}

/** The turns of all sessions: how they begin, run, end and are made durable. */
export interface Turns extends Pick<Sessions, 'prompt' | 'resend' | 'cancel'> {
  /** How many run. */
  readonly size: number;
  has(sessionId: string): boolean;
  /** The agent's messages of the running turn, what is not durable yet included. */
  messagesOf(sessionId: string): (() => Message[]) | undefined;
  /** What the agent tells of a session counts for the turn that runs in it. */
  tell(sessionId: string, told: SessionTold): void;
  /** The first turn of a session that is not there yet. */
  opening(record: SessionRecord, prompt: Prompt, correlationId: string): Promise<Opening>;
  /** Throws `session.limit_reached` when the session would be one active one too many. */
  refuseOverLimit(sessionId: string): void;
  /** Cancels the running turn, if there is one, and resolves when that is durable. */
  end(sessionId: string): Promise<void>;
  /** Ends every turn, also those that are just being begun. Nothing new must be taken any more. */
  endAll(message: string): Promise<void>;
  /** Stores the end of the session's turn, if the storage did not take it. Call it in the queue of the session. */
  settle(sessionId: string): Promise<void>;
  /** The same for all sessions, as far as the storage lets it. */
  settleAll(): Promise<void>;
  /** What could not be stored is left to the next look at the sessions, which finds those turns as interrupted. */
  forgetPending(): void;
}

export interface TurnsDependencies {
  storage: Storage;
  bus: EventBus;
  /** The same one that `needsYou` has. */
  store: SessionStore;
  needsYou: NeedsYouDesk;
  budgets: BudgetDesk;
  agents: Pick<Agents, 'get' | 'prompt'>;
  clock: Clock;
  logger: Logger;
  makeId: MakeId;
  settings: Pick<
    Settings,
    'maxConcurrentSessions' | 'maxSessionSizeBytes' | 'agentStateMessageHistory' | 'agentStateMaxSizeMb'
  >;
}

/** `refuseWhilePaused` throws while nothing is taken. */
export function createTurns(
  dependencies: TurnsDependencies & {
    tellings: Pick<SessionTellings, 'take'>;
    refuseWhilePaused(): void;
  },
): Turns {
  const { storage, bus, store, needsYou, budgets, agents, clock, logger, makeId, settings } = dependencies;
  const { tellings, refuseWhilePaused } = dependencies;
  const { queue } = store;
  const pendingEnds = new PendingEnds(clock, queue);
  const runner = new TurnRunner({
    agents,
    needsYou,
    bus,
    clock,
    makeId,
    maxSizeBytes: settings.maxSessionSizeBytes,
    history: async (sessionId, turnId) =>
      historyOf(await readTranscript(storage, sessionId), {
        turns: settings.agentStateMessageHistory,
        bytes: settings.agentStateMaxSizeMb * 1024 * 1024,
        before: turnId,
      }),
    finish,
    onFinishFailed: (turn, error) =>
      logger
        .with({ correlationId: turn.correlationId })
        .error('The end of a turn could not be stored; it is tried again', {
          sessionId: turn.sessionId,
          turnId: turn.id,
          error: messageOf(error),
        }),
  });

  function refuseOverLimit(id: string): void {
    const { active } = store;
    if (active.has(id) || active.size < settings.maxConcurrentSessions) return;
    throw fault(
      'session.limit_reached',
      `${active.size} sessions are active, the most that MAX_CONCURRENT_SESSIONS allows. Archive some, or raise it.`,
      { active: active.size, limit: settings.maxConcurrentSessions },
    );
  }

  function open(
    record: SessionRecord,
    prompt: Prompt,
    correlationId: string,
    account: SessionAccount,
  ): Opening {
    const { turn, ...begun } = beginTurn(record, prompt, {
      now: clock.now(),
      makeId,
      correlationId,
      maxSizeBytes: settings.maxSessionSizeBytes,
    });
    return {
      turn,
      ...begun,
      refuse: account.refuse,
      run: (session) => runner.run(session, turn, prompt, account),
      failed: (error) => endUnrun(turn, error),
    };
  }

  /**
   * A turn was refused because its commit failed. It may have been carried out all the same, and would then be "running"
   * with nobody to run it.
   */
  function endUnrun(turn: Turn, error: unknown): void {
    const ended: Turn = { ...turn, state: 'failed', endedAt: clock.now(), error: toTurnError(error) };
    const nothing = { messageCount: 0, sizeBytes: 0, waitingForYou: 0 };
    pendingEnds.add(turn.sessionId, () =>
      store.change(turn.sessionId, turn.correlationId, (record) => {
        if (!isRunning(record, turn)) return undefined;
        return {
          record: withEndedTurn(record, ended, nothing, clock.now()),
          batch: { operations: [turnEntry(ended)], drafts: [turnChanged(ended)] },
        };
      }),
    );
  }

  /** Makes a turn durable and runs it. Call it in the queue. `make` may throw to refuse. */
  async function start(
    id: string,
    correlationId: string,
    make: (record: SessionRecord) => Prompt,
  ): Promise<Turn> {
    refuseWhilePaused();
    await pendingEnds.settle(id);
    const { agentId } = (await store.load(id)).value;
    const account = await budgets.account({ sessionId: id, agentId });
    const tries: { opening: Opening; withdrawal: Withdrawal }[] = [];
    const changed = store.change(id, correlationId, (record) => {
      if (record.state === 'archived') {
        throw fault('session.archived', 'The session is archived. Bring it back before you prompt it.', {
          id,
        });
      }
      if (runner.has(id)) throw busy(id, 'prompted again');
      agents.get(record.agentId);
      refuseOverLimit(id);
      const opening = open(record, make(record), correlationId, account);
      opening.refuse();
      // The question about a budget that ended the turn before.
      const withdrawal = needsYou.withdraw(id, 'the session was prompted again');
      tries.push({ opening, withdrawal });
      return { record: opening.record, batch: joined([withdrawal.batch, opening.batch]) };
    });
    const session = await changed.catch((error: unknown) => {
      for (const { opening } of tries) opening.failed(error);
      throw error;
    });
    const last = tries.at(-1);
    if (last === undefined) throw new Error('A change without a turn cannot have been committed');
    last.withdrawal.done();
    last.opening.run(session);
    return last.opening.turn;
  }

  async function finish({ turn, agentId, recorder, bill }: TurnEnd): Promise<void> {
    const { sessionId, correlationId } = turn;
    const rest = await recorder.close();
    const question = asksAboutBudget(turn, bill.exhausted)
      ? needsYou.askBudget({ agentId, turn }, bill.exhausted)
      : undefined;
    let billed: Batch = bill.batch;
    const storeEnd = async (withTold = (record: SessionRecord) => record) => {
      const withdrawal = needsYou.withdraw(sessionId, new TurnOver(turn.state).message);
      const batches = [rest, billed, withdrawal.batch, question?.batch ?? { operations: [], drafts: [] }];
      await store.change(sessionId, correlationId, (record) => {
        // Stored by an attempt that was said to have failed.
        if (!isRunning(record, turn)) return undefined;
        const added = {
          messageCount: recorder.messageCount,
          sizeBytes: recorder.sizeBytes,
          waitingForYou: question === undefined ? 0 : 1,
        };
        return {
          record: withTold(withEndedTurn(record, turn, added, clock.now())),
          batch: joined([...batches, { operations: [turnEntry(turn)], drafts: [turnChanged(turn)] }]),
        };
      });
      withdrawal.done();
      question?.done();
    };
    await queue.run(sessionId, async () => {
      const told = tellings.take(sessionId);
      try {
        await storeEnd(told.into).catch((error: unknown) => {
          if (!isCoded(error, 'storage.not_known_now')) throw error;
          // The storage is away. That the turn has ended must not wait for a bill.
          bill.postpone();
          billed = { operations: [], drafts: bill.batch.drafts };
          return storeEnd(told.into);
        });
      } catch (error) {
        told.failed();
        if (!isCoded(error, 'session.not_found')) pendingEnds.add(sessionId, () => storeEnd());
        throw error;
      }
    });
    logger.with({ correlationId }).info('A turn has ended', {
      sessionId,
      turnId: turn.id,
      state: turn.state,
      ...(turn.error === undefined ? {} : { code: turn.error.code }),
    });
  }

  return {
    get size() {
      return runner.size;
    },
    has: (id) => runner.has(id),
    messagesOf: (id) => runner.messagesOf(id),
    tell: (id, told) => runner.tell(id, told),
    refuseOverLimit,
    async opening(record, prompt, correlationId) {
      const account = await budgets.account({ sessionId: record.id, agentId: record.agentId });
      return open(record, prompt, correlationId, account);
    },
    async prompt({ id, message, attachments }, { correlationId }) {
      const decoded = decodeAttachments(attachments);
      return queue.run(id, () =>
        start(id, correlationId, (record) => ({
          text: message,
          attachments: placeAttachments(id, record.attachmentCount, decoded),
        })),
      );
    },
    async resend({ id, turnId }, { correlationId }) {
      return queue.run(id, async () => {
        await pendingEnds.settle(id);
        refuseResend((await store.load(id)).value, turnId);
        const again = await promptOf(storage, id, turnId);
        return start(id, correlationId, (record) => {
          refuseResend(record, turnId);
          return again;
        });
      });
    },
    async cancel(id) {
      const ended = runner.end(id, { state: 'cancelled' });
      if (ended !== undefined) return ended;
      await queue.run(id, () => pendingEnds.settle(id));
      await store.load(id);
      throw fault('session.not_running', 'The session has no running turn: it has ended already.', { id });
    },
    async end(id) {
      await runner.end(id, { state: 'cancelled' });
    },
    async endAll(message) {
      await queue.idle();
      await runner.endAll({ state: 'interrupted', error: { code: 'runtime.stopped', message } });
    },
    settle: (id) => pendingEnds.settle(id),
    settleAll: () => pendingEnds.settleAll(),
    forgetPending: () => pendingEnds.clear(),
  };
}

/**
 * Whether the user is asked what is to become of a budget. When a turn was over before its budget was, there is nothing
 * to go on with: what is left to ask is about the next turns.
 */
function asksAboutBudget(turn: Turn, exhausted: BudgetNotice | undefined): exhausted is BudgetNotice {
  if (exhausted === undefined) return false;
  if (turn.error?.code === 'budget.exhausted') return true;
  return turn.state === 'completed' && exhausted.scope !== 'turn';
}

function isRunning({ lastTurn }: SessionRecord, turn: Turn): boolean {
  return lastTurn?.id === turn.id && lastTurn.state === 'running';
}

function joined(batches: Batch[]): Batch {
  return {
    operations: batches.flatMap(({ operations }) => operations),
    drafts: batches.flatMap(({ drafts }) => drafts),
  };
}
