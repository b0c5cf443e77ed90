import type { Agents, PromptAttachment, SessionTold } from '../agents/agents.ts';
import type { Timer } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { lifecycle } from '../base/lifecycle.ts';
import { fault, type Session, type SessionDetail } from '../contract/index.ts';
import type { Settings } from '../settings/settings.ts';
import type { Filter } from '../storage/storage.ts';
import { deleteAttachments, readAttachment } from './attachments.ts';
import { createTurns, type TurnsDependencies } from './create-turns.ts';
import { listDocuments } from './list-documents.ts';
import type { Withdrawal } from './needs-you/needs-you.ts';
import { fromDocument, SESSION_COLLECTION, type SessionRecord, statusOf } from './session-record.ts';
import { ageSessions, recoverInterrupted } from './session-sweeps.ts';
import { SessionTellings } from './session-tellings.ts';
import type { CallContext, SessionCounts, Sessions } from './sessions.ts';
import { readTranscript, transcriptLog } from './transcript.ts';
import { busy } from './turns.ts';

export interface SessionsDependencies extends TurnsDependencies {
  agents: Pick<
    Agents,
    'list' | 'get' | 'prompt' | 'setMode' | 'setOption' | 'watchSessions' | 'forgetSession'
  >;
  settings: TurnsDependencies['settings'] &
    Pick<
      Settings,
      'sessionTtlSeconds' | 'sessionExpirationDays' | 'sessionCleanupIntervalSeconds' | 'sessionIdLength'
    >;
  onCreated?: () => void;
}

/** Operations of one commit; what an adapter takes is ten times as much. */
const DELETE_AT_ONCE = 1000;

/** The sessions over a storage adapter; the agents answer. */
export function createSessions(dependencies: SessionsDependencies): Sessions {
  const { storage, bus, store, needsYou, budgets, agents, clock, makeId, settings } = dependencies;
  const { queue } = store;
  const logger = dependencies.logger.with({ component: 'sessions' });
  const tellings = new SessionTellings({ store, clock, makeId, logger });
  /** Why nothing is taken at the moment. */
  let paused: string | undefined;
  let cleanup: Timer | undefined;
  const turns = createTurns({ ...dependencies, tellings, logger, refuseWhilePaused });

  function refuseWhilePaused(): void {
    if (paused === undefined) return;
    throw fault(
      'maintenance.active',
      `Sessions take nothing at the moment: ${paused}. Try again in a moment.`,
    );
  }

  async function reload(): Promise<void> {
    turns.forgetPending();
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
      isRunning: (id) => paused !== undefined || turns.has(id),
    }).catch((error: unknown) =>
      logger.error('Idle sessions could not be aged; it is tried again', { error: messageOf(error) }),
    );
  }

  /** Called by the agents: must neither throw nor wait. */
  function told(sessionId: string, { cost, ...rest }: SessionTold): void {
    turns.tell(sessionId, cost === undefined ? rest : { ...rest, cost });
    if (paused === undefined && Object.keys(rest).length > 0) tellings.tell(sessionId, rest);
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
      await turns.endAll('The app was closed while the agent was answering.');
      await turns.settleAll();
      turns.forgetPending();
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
    const liveMessages = turns.messagesOf(id);
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
      titledBy: input.title === undefined ? 'nobody' : 'user',
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
    const opening =
      input.message === undefined
        ? undefined
        : await turns.opening(record, { text: input.message, attachments: [] }, correlationId);
    return queue.run(id, async () => {
      refuseWhilePaused();
      turns.refuseOverLimit(id);
      opening?.refuse();
      const session = await store
        .add(opening?.record ?? record, opening?.batch ?? { operations: [], drafts: [] }, correlationId)
        .catch((error: unknown) => {
          opening?.failed(error);
          throw error;
        });
      dependencies.onCreated?.();
      opening?.run(session);
      return session;
    });
  }

  const update: Sessions['update'] = async (input, { correlationId }) => {
    return queue.run(input.id, async () => {
      refuseWhilePaused();
      await turns.settle(input.id);
      let withdrawal: Withdrawal | undefined;
      const session = await store.change(input.id, correlationId, (record, version) => {
        if (input.expectedVersion !== undefined && input.expectedVersion !== version) {
          throw fault(
            'storage.version_conflict',
            `The session has changed meanwhile: it is at version ${version}, not ${input.expectedVersion}.`,
            { id: input.id, expected: input.expectedVersion, current: version },
          );
        }
        if (input.archived === true && turns.has(input.id)) throw busy(input.id, 'archived');
        const archived = input.archived ?? record.state === 'archived';
        const unarchived = record.state === 'archived' ? 'inactive' : record.state;
        withdrawal = archived ? needsYou.withdraw(input.id, 'the session was archived') : undefined;
        const waitingForYou = archived ? 0 : record.waitingForYou;
        return {
          record: {
            ...record,
            ...(input.title === undefined ? {} : { title: input.title, titledBy: 'user' as const }),
            state: archived ? 'archived' : unarchived,
            status: statusOf({ ...record, waitingForYou }),
            waitingForYou,
            updatedAt: clock.now(),
          },
          ...(withdrawal === undefined ? {} : { batch: withdrawal.batch }),
        };
      });
      withdrawal?.done();
      return session;
    });
  };

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

  async function remove(id: string, { correlationId }: CallContext): Promise<void> {
    refuseWhilePaused();
    await turns.end(id);
    const isDeleted = await queue.run(id, async () => {
      refuseWhilePaused();
      // A prompt was faster. Its turn cannot be waited for here, because its end needs the queue, too.
      if (turns.has(id)) return false;
      const document = await store.load(id);
      const attachments = deleteAttachments(id, document.value.attachmentCount);
      while (attachments.length > DELETE_AT_ONCE) await storage.commit(attachments.splice(0, DELETE_AT_ONCE));
      const withdrawal = needsYou.withdraw(id, 'the session was deleted');
      await bus.commit(
        [
          { kind: 'delete', collection: SESSION_COLLECTION, id, expectVersion: document.version },
          { kind: 'trim', log: transcriptLog(id), through: Number.MAX_SAFE_INTEGER },
          ...attachments,
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
    prompt: turns.prompt,
    resend: turns.resend,
    setMode,
    setOption,
    attachment,
    cancel: turns.cancel,
    delete: remove,
    counts: (): SessionCounts => ({
      active: store.active.size,
      runningTurns: turns.size,
      limit: settings.maxConcurrentSessions,
    }),
    async pause(reason) {
      paused = reason;
      await turns.endAll(`The turn was interrupted: ${reason}.`);
    },
    async resume() {
      await reload();
      paused = undefined;
    },
  };
}
