import type { Agents } from '../agents/agents.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { isCoded, messageOf } from '../base/errors.ts';
import type { MakeId } from '../base/ids.ts';
import { lifecycle } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { fault, type Session, type SessionDetail, type Turn } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Settings } from '../settings/settings.ts';
import type { Filter, Storage } from '../storage/storage.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { PendingEnds } from './pending-ends.ts';
import { fromDocument, SESSION_COLLECTION, type SessionRecord } from './session-record.ts';
import { SessionStore } from './session-store.ts';
import { ageSessions, recoverInterrupted } from './session-sweeps.ts';
import type { CallContext, SessionCounts, Sessions } from './sessions.ts';
import { historyOf, readTranscript, transcriptLog } from './transcript.ts';
import type { TurnRecorder } from './turn-recorder.ts';
import { TurnRunner } from './turn-runner.ts';
import { beginTurn, turnChanged, turnEntry, withEndedTurn } from './turns.ts';

export interface SessionsDependencies {
  storage: Storage;
  bus: EventBus;
  agents: Pick<Agents, 'list' | 'get' | 'prompt' | 'forgetSession'>;
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
  const { storage, bus, agents, clock, makeId, settings } = dependencies;
  const logger = dependencies.logger.with({ component: 'sessions' });
  const store = new SessionStore(storage, bus);
  /** Changes to one session happen one after the other. */
  const queue = new KeyedQueue();
  const pendingEnds = new PendingEnds(clock, queue);
  const runner = new TurnRunner({
    agents,
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

  async function finishTurn(turn: Turn, recorder: TurnRecorder): Promise<void> {
    const rest = await recorder.close();
    const storeEnd = () =>
      store.change(turn.sessionId, turn.correlationId, (record) => {
        // Stored by an attempt that was said to have failed.
        if (record.lastTurn?.id !== turn.id || record.lastTurn.state !== 'running') return undefined;
        return {
          record: withEndedTurn(record, turn, recorder, clock.now()),
          batch: {
            operations: [...rest.operations, turnEntry(turn)],
            drafts: [...rest.drafts, turnChanged(turn)],
          },
        };
      });
    await queue.run(turn.sessionId, async () => {
      try {
        await storeEnd();
      } catch (error) {
        if (!isCoded(error, 'session.not_found')) pendingEnds.add(turn.sessionId, storeEnd);
        throw error;
      }
    });
    logger.with({ correlationId: turn.correlationId }).info('A turn has ended', {
      sessionId: turn.sessionId,
      turnId: turn.id,
      state: turn.state,
      ...(turn.error === undefined ? {} : { code: turn.error.code }),
    });
  }

  async function reload(): Promise<void> {
    pendingEnds.clear();
    await store.reload();
    await recoverInterrupted({ storage, store, clock, logger });
  }

  function age(): void {
    if (paused !== undefined) return;
    ageSessions({
      store,
      queue,
      clock,
      ttlSeconds: settings.sessionTtlSeconds,
      expirationDays: settings.sessionExpirationDays,
      isRunning: (id) => paused !== undefined || runner.has(id),
    }).catch((error: unknown) =>
      logger.error('Idle sessions could not be aged; it is tried again', { error: messageOf(error) }),
    );
  }

  /** Ends every turn, also those that are just being begun. Nothing new must be taken any more. */
  async function endAll(message: string): Promise<void> {
    await queue.idle();
    await runner.endAll({ state: 'interrupted', error: { code: 'runtime.stopped', message } });
  }

  const service = lifecycle({
    async start() {
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
    },
  });

  const list: Sessions['list'] = async (query) => {
    const where: Filter[] = [
      query.state === undefined ? { field: 'state', isNot: 'archived' } : { field: 'state', is: query.state },
    ];
    if (query.status !== undefined) where.push({ field: 'status', is: query.status });
    if (query.agentId !== undefined) where.push({ field: 'agentId', is: query.agentId });
    if (query.search) where.push({ field: 'search', contains: query.search });
    const { items, nextCursor } = await storage
      .list<SessionRecord>(SESSION_COLLECTION, {
        where,
        orderBy: { field: 'lastActivityAt', direction: 'descending' },
        limit: query.limit,
        ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
      })
      .catch((error: unknown) => {
        // All else is checked already, so it is the cursor that the storage cannot take.
        if (query.cursor === undefined || !isCoded(error, 'storage.invalid')) throw error;
        throw fault('request.invalid', 'The cursor is not one that this list gave.', {}, { cause: error });
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
    };
    const begun = input.message === undefined ? undefined : begin(record, input.message, correlationId);
    return queue.run(id, async () => {
      refuseWhilePaused();
      refuseOverLimit(id);
      const session = await store.add(
        begun?.record ?? record,
        begun?.batch ?? { operations: [], drafts: [] },
        correlationId,
      );
      dependencies.onCreated?.();
      if (begun !== undefined && input.message !== undefined) runner.run(session, begun.turn, input.message);
      return session;
    });
  }

  function begin(record: SessionRecord, text: string, correlationId: string) {
    return beginTurn(record, text, {
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

  const prompt: Sessions['prompt'] = async ({ id, message }, { correlationId }) => {
    return queue.run(id, async () => {
      refuseWhilePaused();
      await pendingEnds.settle(id);
      const turns: Turn[] = [];
      const session = await store.change(id, correlationId, (record) => {
        if (record.state === 'archived') {
          throw fault('session.archived', 'The session is archived. Bring it back before you prompt it.', {
            id,
          });
        }
        if (runner.has(id)) throw busy(id, 'prompted again');
        agents.get(record.agentId);
        refuseOverLimit(id);
        const begun = begin(record, message, correlationId);
        turns.push(begun.turn);
        return begun;
      });
      const turn = turns.at(-1);
      if (turn === undefined) throw new Error('A change without a turn cannot have been committed');
      runner.run(session, turn, message);
      return turn;
    });
  };

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
      await bus.commit(
        [
          { kind: 'delete', collection: SESSION_COLLECTION, id, expectVersion: document.version },
          { kind: 'trim', log: transcriptLog(id), through: Number.MAX_SAFE_INTEGER },
        ],
        [{ topic: 'session.deleted', subject: id, correlationId, data: { id } }],
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
