import type { Agents, PromptAttachment, SessionTold } from '../agents/agents.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { isCoded, messageOf } from '../base/errors.ts';
import type { MakeId } from '../base/ids.ts';
import { lifecycle } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { fault, type Session, type SessionDetail, type Turn } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Settings } from '../settings/settings.ts';
import type { Filter, Storage } from '../storage/storage.ts';
import { decodeAttachments, deleteAttachments, placeAttachments, readAttachment } from './attachments.ts';
import type { BudgetDesk } from './budgets/budgets.ts';
import { listDocuments } from './list-documents.ts';
import type { NeedsYouDesk, Withdrawal } from './needs-you/needs-you.ts';
import { PendingEnds } from './pending-ends.ts';
import { fromDocument, SESSION_COLLECTION, type SessionRecord } from './session-record.ts';
import type { SessionStore } from './session-store.ts';
import { ageSessions, recoverInterrupted } from './session-sweeps.ts';
import { SessionTellings } from './session-tellings.ts';
import type { CallContext, SessionCounts, Sessions } from './sessions.ts';
import { historyOf, readTranscript, transcriptLog } from './transcript.ts';
import { type TurnEnd, TurnRunner } from './turn-runner.ts';
import {
  beginTurn,
  canBeResent,
  type Prompt,
  TurnOver,
  turnChanged,
  turnEntry,
  withEndedTurn,
} from './turns.ts';

export interface SessionsDependencies {
  storage: Storage;
  bus: EventBus;
  /** The same one that `needsYou` has. */
  store: SessionStore;
  needsYou: NeedsYouDesk;
  budgets: BudgetDesk;
  agents: Pick<
    Agents,
    'list' | 'get' | 'prompt' | 'setMode' | 'setOption' | 'watchSessions' | 'forgetSession'
  >;
  clock: Clock;
  logger: Logger;
  makeId: MakeId;
  settings: Pick<
    Settings,
    | 'sessionTtlSeconds'
    | 'sessionExpirationDays'
    | 'sessionCleanupIntervalSeconds'
    | 'maxConcurrentSessions'
    | 'maxSessionSizeBytes'
    | 'sessionIdLength'
    | 'agentStateMessageHistory'
    | 'agentStateMaxSizeMb'
  >;
  onCreated?: () => void;
}

/** The sessions over a storage adapter; the agents answer. */
export function createSessions(dependencies: SessionsDependencies): Sessions {
  const { storage, bus, store, needsYou, budgets, agents, clock, makeId, settings } = dependencies;
  const { queue } = store;
  const logger = dependencies.logger.with({ component: 'sessions' });
  const tellings = new SessionTellings({ store, clock, makeId, logger });
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
    finish: finishTurn,
    onFinishFailed: (turn, error) =>
      logger
        .with({ correlationId: turn.correlationId })
        .error('The end of a turn could not be stored; it is tried again', {
          sessionId: turn.sessionId,
          turnId: turn.id,
          error: messageOf(error),
        }),
  });
  /** Why nothing is taken at the moment. */
  let paused: string | undefined;
  let cleanup: Timer | undefined;

  function refuseWhilePaused(): void {
    if (paused === undefined) return;
    throw fault(
      'maintenance.active',
      `Sessions take nothing at the moment: ${paused}. Try again in a moment.`,
    );
  }

  function refuseOverLimit(id: string): void {
    const { active } = store;
    if (active.has(id) || active.size < settings.maxConcurrentSessions) return;
    throw fault(
      'session.limit_reached',
      `${active.size} sessions are active, the most that MAX_CONCURRENT_SESSIONS allows. Archive some, or raise it.`,
      { active: active.size, limit: settings.maxConcurrentSessions },
    );
  }

  function busy(id: string, action: string): Error {
    return fault('session.busy', `The session is answering: it can be ${action} once the turn has ended.`, {
      id,
    });
  }

  async function finishTurn({ turn, agentId, recorder, bill }: TurnEnd): Promise<void> {
    const { sessionId, correlationId } = turn;
    const rest = await recorder.close();
    // A turn that was over before its budget was has nothing to go on with: what is left to ask is about the next ones.
    const isAsked =
      turn.error?.code === 'budget.exhausted' ||
      (turn.state === 'completed' && bill.exhausted !== undefined && bill.exhausted.scope !== 'turn');
    const question =
      isAsked && bill.exhausted !== undefined
        ? needsYou.askBudget({ agentId, turn }, bill.exhausted)
        : undefined;
    const storeEnd = async () => {
      const withdrawal = needsYou.withdraw(sessionId, new TurnOver(turn.state).message);
      const batches = [
        rest,
        bill.batch,
        withdrawal.batch,
        ...(question === undefined ? [] : [question.batch]),
      ];
      let isStored = true;
      await store.change(sessionId, correlationId, (record) => {
        // Stored by an attempt that was said to have failed.
        isStored = record.lastTurn?.id !== turn.id || record.lastTurn.state !== 'running';
        if (isStored) return undefined;
        const added = {
          messageCount: recorder.messageCount,
          sizeBytes: recorder.sizeBytes,
          waitingForYou: question === undefined ? 0 : 1,
        };
        return {
          record: withEndedTurn(record, turn, added, clock.now()),
          batch: {
            operations: [...batches.flatMap(({ operations }) => operations), turnEntry(turn)],
            drafts: [...batches.flatMap(({ drafts }) => drafts), turnChanged(turn)],
          },
        };
      });
      withdrawal.done();
      question?.done();
    };
    await queue.run(sessionId, async () => {
      try {
        await storeEnd();
      } catch (error) {
        if (!isCoded(error, 'session.not_found')) pendingEnds.add(sessionId, storeEnd);
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

  async function reload(): Promise<void> {
    pendingEnds.clear();
    tellings.clear();
    await store.reload();
    await budgets.reload();
    await needsYou.reload();
    await recoverInterrupted({ storage, store, needsYou, clock, logger });
    await needsYou.withdrawRest('the app stopped meanwhile');
  }

  function age(): void {
    if (paused !== undefined) return;
    ageSessions({
      store,
      clock,
      ttlSeconds: settings.sessionTtlSeconds,
      expirationDays: settings.sessionExpirationDays,
      isRunning: (id) => paused !== undefined || runner.has(id),
    }).catch((error: unknown) =>
      logger.error('Idle sessions could not be aged; it is tried again', { error: messageOf(error) }),
    );
  }

  /** Called by the agents: must neither throw nor wait. */
  function told(sessionId: string, { cost, ...rest }: SessionTold): void {
    runner.tell(sessionId, cost === undefined ? rest : { ...rest, cost });
    if (paused === undefined && Object.keys(rest).length > 0) tellings.tell(sessionId, rest);
  }

  /** Ends every turn, also those that are just being begun. Nothing new must be taken any more. */
  async function endAll(message: string): Promise<void> {
    await queue.idle();
    await runner.endAll({ state: 'interrupted', error: { code: 'runtime.stopped', message } });
  }

  const service = lifecycle({
    async start() {
      agents.watchSessions(told);
      await reload();
      paused = undefined;
      cleanup = clock.every(settings.sessionCleanupIntervalSeconds * 1000, age);
    },
    async stop() {
      paused = 'the app is stopping';
      cleanup?.cancel();
      await endAll('The app was closed while the agent was answering.');
      await pendingEnds.settleAll();
      pendingEnds.clear();
      await tellings.end();
    },
  });

  const list: Sessions['list'] = async (query) => {
    const where: Filter[] = [
      query.state === undefined ? { field: 'state', isNot: 'archived' } : { field: 'state', is: query.state },
    ];
    if (query.status !== undefined) where.push({ field: 'status', is: query.status });
    if (query.agentId !== undefined) where.push({ field: 'agentId', is: query.agentId });
    if (query.search) where.push({ field: 'search', contains: query.search });
    const { items, nextCursor } = await listDocuments<SessionRecord>(storage, SESSION_COLLECTION, {
      where,
      orderBy: { field: 'lastActivityAt', direction: 'descending' },
      limit: query.limit,
      cursor: query.cursor,
    });
    return { items: items.map(fromDocument), ...(nextCursor === undefined ? {} : { nextCursor }) };
  };

  async function get(id: string): Promise<SessionDetail> {
    // Taken before reading: a turn that ends meanwhile still has its messages here.
    const liveMessages = runner.messagesOf(id);
    const [document, transcript] = await Promise.all([store.load(id), readTranscript(storage, id)]);
    const session = fromDocument(document);
    if (liveMessages === undefined) return { ...session, ...transcript };
    const live = liveMessages();
    const ids = new Set(live.map((message) => message.id));
    const stored = transcript.messages.filter((message) => !ids.has(message.id));
    return { ...session, turns: transcript.turns, messages: [...stored, ...live] };
  }

  async function create(
    input: { message?: string; agentId?: string; title?: string },
    { correlationId }: CallContext,
  ): Promise<Session> {
    const agent = input.agentId === undefined ? agents.list()[0] : agents.get(input.agentId);
    if (agent === undefined) {
      throw fault('agent.not_found', 'There is no agent to talk to. Add one on the Agents page.');
    }
    const now = clock.now();
    const id = makeId(settings.sessionIdLength);
    const record: SessionRecord = {
      id,
      title: input.title ?? 'New session',
      untitled: input.title === undefined,
      agentId: agent.id,
      state: 'active',
      status: 'idle',
      createdAt: now,
      updatedAt: now,
      lastActivityAt: now,
      messageCount: 0,
      sizeBytes: 0,
      usage: { inputTokens: 0, outputTokens: 0 },
      waitingForYou: 0,
      attachmentCount: 0,
    };
    const prompt = input.message === undefined ? undefined : { text: input.message, attachments: [] };
    const account =
      prompt === undefined ? undefined : await budgets.account({ sessionId: id, agentId: agent.id });
    const begun = prompt === undefined ? undefined : begin(record, prompt, correlationId);
    return queue.run(id, async () => {
      refuseWhilePaused();
      refuseOverLimit(id);
      account?.refuse();
      const session = await store.add(
        begun?.record ?? record,
        begun?.batch ?? { operations: [], drafts: [] },
        correlationId,
      );
      dependencies.onCreated?.();
      if (begun !== undefined && prompt !== undefined && account !== undefined) {
        runner.run(session, begun.turn, prompt, account);
      }
      return session;
    });
  }

  function begin(record: SessionRecord, prompt: Prompt, correlationId: string) {
    return beginTurn(record, prompt, {
      now: clock.now(),
      makeId,
      correlationId,
      maxSizeBytes: settings.maxSessionSizeBytes,
    });
  }

  const update: Sessions['update'] = async (input, { correlationId }) => {
    return queue.run(input.id, async () => {
      refuseWhilePaused();
      await pendingEnds.settle(input.id);
      return store.change(input.id, correlationId, (record, version) => {
        if (input.expectedVersion !== undefined && input.expectedVersion !== version) {
          throw fault(
            'storage.version_conflict',
            `The session has changed meanwhile: it is at version ${version}, not ${input.expectedVersion}.`,
            { id: input.id, expected: input.expectedVersion, current: version },
          );
        }
        if (input.archived === true && runner.has(input.id)) throw busy(input.id, 'archived');
        const archived = input.archived ?? record.state === 'archived';
        const unarchived = record.state === 'archived' ? 'inactive' : record.state;
        return {
          record: {
            ...record,
            ...(input.title === undefined ? {} : { title: input.title, untitled: false }),
            state: archived ? 'archived' : unarchived,
            updatedAt: clock.now(),
          },
        };
      });
    });
  };

  const prompt: Sessions['prompt'] = async ({ id, message, attachments }, { correlationId }) => {
    const decoded = decodeAttachments(attachments);
    return queue.run(id, () =>
      startTurn(id, correlationId, (record) => ({
        text: message,
        attachments: placeAttachments(id, record.attachmentCount, decoded),
      })),
    );
  };

  const resend: Sessions['resend'] = async ({ id, turnId }, { correlationId }) => {
    return queue.run(id, async () => {
      await pendingEnds.settle(id);
      refuseResend((await store.load(id)).value, turnId);
      const { messages } = await readTranscript(storage, id);
      const sent = messages.find((message) => message.turnId === turnId && message.role === 'user');
      if (sent === undefined) throw nothingToResend(id, turnId, 'its prompt is not there any more');
      const attachments = await Promise.all(
        (sent.attachments ?? []).map(async (attachment) => ({
          ...attachment,
          ...(await readAttachment(storage, id, attachment.id)),
        })),
      );
      return startTurn(id, correlationId, (record) => {
        refuseResend(record, turnId);
        return { text: sent.text, attachments, resentFrom: turnId };
      });
    });
  };

  function refuseResend({ id, lastTurn }: SessionRecord, turnId: string): void {
    if (lastTurn?.id !== turnId) throw nothingToResend(id, turnId, 'it is not the last turn');
    if (!canBeResent(lastTurn))
      throw nothingToResend(id, turnId, 'it was neither interrupted nor has it failed');
  }

  /** Makes a turn durable and runs it. Call it in the queue. `make` may throw to refuse. */
  async function startTurn(
    id: string,
    correlationId: string,
    make: (record: SessionRecord) => Prompt,
  ): Promise<Turn> {
    refuseWhilePaused();
    await pendingEnds.settle(id);
    const { agentId } = (await store.load(id)).value;
    const account = await budgets.account({ sessionId: id, agentId });
    const started: { turn: Turn; prompt: Prompt; withdrawal: Withdrawal }[] = [];
    const session = await store.change(id, correlationId, (record) => {
      if (record.state === 'archived') {
        throw fault('session.archived', 'The session is archived. Bring it back before you prompt it.', {
          id,
        });
      }
      if (runner.has(id)) throw busy(id, 'prompted again');
      agents.get(record.agentId);
      refuseOverLimit(id);
      account.refuse();
      const prompt = make(record);
      const begun = begin(record, prompt, correlationId);
      // The question about a budget that ended the turn before.
      const withdrawal = needsYou.withdraw(id, 'the session was prompted again');
      started.push({ turn: begun.turn, prompt, withdrawal });
      return {
        record: begun.record,
        batch: {
          operations: [...withdrawal.batch.operations, ...begun.batch.operations],
          drafts: [...withdrawal.batch.drafts, ...begun.batch.drafts],
        },
      };
    });
    const last = started.at(-1);
    if (last === undefined) throw new Error('A change without a turn cannot have been committed');
    last.withdrawal.done();
    runner.run(session, last.turn, last.prompt, account);
    return last.turn;
  }

  const setMode: Sessions['setMode'] = async ({ id, modeId }) => {
    const { agentId } = (await store.load(id)).value;
    await agents.setMode(agentId, id, modeId);
    return toldSession(id);
  };

  const setOption: Sessions['setOption'] = async ({ id, optionId, value }) => {
    const { agentId } = (await store.load(id)).value;
    await agents.setOption(agentId, id, optionId, value);
    return toldSession(id);
  };

  /** A session with all that its agent has told so far. */
  async function toldSession(id: string): Promise<Session> {
    await tellings.flush(id);
    return fromDocument(await store.load(id));
  }

  async function attachment(id: string, attachmentId: string): Promise<PromptAttachment> {
    await store.load(id);
    return readAttachment(storage, id, attachmentId);
  }

  async function cancel(id: string): Promise<Turn> {
    const ended = runner.end(id, { state: 'cancelled' });
    if (ended !== undefined) return ended;
    await queue.run(id, () => pendingEnds.settle(id));
    await store.load(id);
    throw fault('session.not_running', 'The session has no running turn: it has ended already.', { id });
  }

  async function remove(id: string, { correlationId }: CallContext): Promise<void> {
    refuseWhilePaused();
    await runner.end(id, { state: 'cancelled' });
    const isDeleted = await queue.run(id, async () => {
      refuseWhilePaused();
      // A prompt was faster. Its turn cannot be waited for here, because its end needs the queue, too.
      if (runner.has(id)) return false;
      const document = await store.load(id);
      const withdrawal = needsYou.withdraw(id, 'the session was deleted');
      await bus.commit(
        [
          { kind: 'delete', collection: SESSION_COLLECTION, id, expectVersion: document.version },
          { kind: 'trim', log: transcriptLog(id), through: Number.MAX_SAFE_INTEGER },
          ...deleteAttachments(id, document.value.attachmentCount),
          ...withdrawal.batch.operations,
        ],
        [...withdrawal.batch.drafts, { topic: 'session.deleted', subject: id, correlationId, data: { id } }],
      );
      withdrawal.done();
      await needsYou.forget(id).catch((error: unknown) =>
        logger.warn('What a deleted session had asked is kept until it expires', {
          sessionId: id,
          error: messageOf(error),
        }),
      );
      store.active.delete(id);
      agents.forgetSession(id);
      return true;
    });
    if (!isDeleted) await remove(id, { correlationId });
  }

  return {
    ...service,
    list,
    get,
    create,
    update,
    prompt,
    resend,
    setMode,
    setOption,
    attachment,
    cancel,
    delete: remove,
    counts: (): SessionCounts => ({
      active: store.active.size,
      runningTurns: runner.size,
      limit: settings.maxConcurrentSessions,
    }),
    async pause(reason) {
      paused = reason;
      await endAll(`The turn was interrupted: ${reason}.`);
    },
    async resume() {
      await reload();
      paused = undefined;
    },
  };
}

function nothingToResend(id: string, turnId: string, because: string): Error {
  return fault('session.nothing_to_resend', `The prompt of this turn cannot be sent again: ${because}.`, {
    id,
    turnId,
  });
}
