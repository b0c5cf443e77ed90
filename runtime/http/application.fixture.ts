/**
 * For tests of this folder: the HTTP application over the real bus, health and metrics, and over sessions, agents,
 * backups and jobs that are lists in memory. Their own behaviour is tested where they live.
 */
import type { Agents } from '../agents/agents.ts';
import type { Secrets } from '../agents/setup/secrets.ts';
import type { Backups } from '../backup/backups.ts';
import type { Moves } from '../backup/moves.ts';
import { VirtualClock } from '../base/clock.ts';
import { type MakeId, randomId } from '../base/ids.ts';
import { createLogger } from '../base/logger.ts';
import {
  type Agent,
  type Backup,
  type BudgetState,
  fault,
  type Job,
  type Problem,
  type Secret,
  type Session,
  type Status,
  type Turn,
} from '../contract/index.ts';
import { createEventBus } from '../events/create-event-bus.ts';
import { createStorageWatch } from '../events/storage-watch.ts';
import { createHealth } from '../health/health.ts';
import { createMetrics } from '../health/metrics.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Budgets } from '../sessions/budgets/budgets.ts';
import type { NeedsYou } from '../sessions/needs-you/needs-you.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { loadSettings } from '../settings/load-settings.ts';
import { createRedactor } from '../settings/redact.ts';
import { openStorage } from '../storage/open-storage.ts';
import { createHealthApp, createHttpApp, type HttpApp } from './app.ts';
import type { Assets } from './assets.ts';
import { type AuthOptions, createAuth } from './auth.ts';

export const TOKEN = 'the-token-of-these-tests-0123456789';

export interface Application extends HttpApp {
  clock: VirtualClock;
  bus: ReturnType<typeof createEventBus>;
  health: { fetch(request: Request): Promise<Response> };
  metrics: ReturnType<typeof createMetrics>;
  /** The log so far, a parsed line each. */
  log: { level: string; message: string; correlation_id?: string; metadata: Record<string, unknown> }[];
  backups: InMemoryBackups;
  sessions: Sessions;
  stop(): Promise<void>;
}

export async function createApplication(
  options: {
    auth?: AuthOptions;
    env?: Record<string, string>;
    assets?: Assets;
    sessions?: Partial<Sessions>;
    agentCounts?: Partial<ReturnType<Agents['counts']>>;
  } = {},
): Promise<Application> {
  const clock = new VirtualClock();
  const log: Application['log'] = [];
  const redact = createRedactor([TOKEN]);
  const logger = createLogger({
    level: 'debug',
    redact,
    write: (line) => log.push({ metadata: {}, ...JSON.parse(line) }),
  });
  const settings = loadSettings({ env: { NODE_ENV: 'test', STORAGE_TYPE: 'memory', ...options.env } });
  const storage = await openStorage({ type: 'memory', dataDir: '', now: () => clock.now() });
  const bus = createEventBus({
    storage,
    clock,
    makeId: randomId,
    logger,
    retentionHours: 24,
    registrySize: 100,
  });
  await bus.start();
  const metrics = createMetrics({ enabled: settings.metricsEnabled });
  const sessions = { ...inMemorySessions(clock, randomId), ...options.sessions };
  const counts = { ...NO_AGENT_FAILED, ...options.agentCounts };
  const health = createHealth({
    clock,
    storage: async () => ({ totalSessions: 0, sizeBytes: 0, backendType: 'memory' }),
    eventBus: () => ({ ...bus.stats(), accepting: true }),
    agents: () => counts,
    sessions: () => sessions.counts(),
  });
  const status = async (): Promise<Status> => ({
    about: {
      name: 'SmallTalk Console',
      version: '1.2.3',
      status: 'running',
      environment: settings.environment,
      timestamp: new Date(clock.now()).toISOString(),
      mode: 'headless',
      startedAt: clock.now(),
      dataDir: '/data',
      pid: 1,
      warnings: [],
    },
    health: await health.health(),
    storage: { state: 'normal', journalCommits: 0, journalBytes: 0, conflicts: 0 },
    providers: [],
  });
  const backups = new InMemoryBackups();
  const shared = { settings, health, metrics, clock, makeId: randomId, logger, redact };
  const app = createHttpApp({
    ...shared,
    sessions,
    agents: inMemoryAgents(clock, counts),
    needsYou: inMemoryNeedsYou(),
    budgets: inMemoryBudgets(),
    secrets: inMemorySecrets(clock),
    bus,
    backups,
    moves: inMemoryMoves(),
    storageWatch: createStorageWatch({ storage, bus, correlationId: 'test', logger }),
    jobs: inMemoryJobs(),
    status,
    samples: () => [],
    auth: createAuth(options.auth ?? { mode: 'trusted' }),
    ...(options.assets === undefined ? {} : { assets: options.assets }),
  });
  return {
    ...app,
    clock,
    bus,
    health: createHealthApp(shared),
    metrics,
    log,
    backups,
    sessions,
    async stop() {
      app.close();
      await bus.stop();
      await storage.close();
    },
  };
}

/** Sends JSON, or the given text as it is; the address of the console is left out. */
export function request(
  method: string,
  path: string,
  options: { json?: unknown; body?: BodyInit; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Request {
  const body = options.json === undefined ? options.body : JSON.stringify(options.json);
  return new Request(`http://localhost:3000${path}`, {
    method,
    headers: {
      ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  });
}

/** The problem in an answer; throws when the answer is none. */
export async function problemOf(response: Response): Promise<Problem> {
  if (response.headers.get('content-type') !== 'application/problem+json') {
    throw new Error(`Not a problem: ${response.status} ${response.headers.get('content-type')}`);
  }
  const problem = (await response.json()) as Problem;
  if (problem.status !== response.status) throw new Error('The status of the body is not that of the answer');
  return problem;
}

const NO_AGENT_FAILED = {
  total: 1,
  healthy: 1,
  failed: 0,
  disconnected: 0,
  recovering: 0,
  successfulRecoveries: 0,
};

const service = { start: async () => undefined, stop: async () => undefined };

const ATTACHMENTS: Record<string, { name: string; mimeType: string; bytes: Uint8Array }> = {
  picture: { name: 'a.png', mimeType: 'image/png', bytes: new Uint8Array([1, 2, 3]) },
  page: { name: 'ü "x".html', mimeType: 'text/html', bytes: new TextEncoder().encode('<script>') },
};

function inMemorySessions(clock: VirtualClock, makeId: MakeId): Sessions {
  const all = new Map<string, Session>();
  const find = (id: string): Session => {
    const session = all.get(id);
    if (session === undefined) throw fault('session.not_found', `There is no session ${id}.`, { id });
    return session;
  };
  const turn = (sessionId: string, correlationId: string): Turn => ({
    id: makeId(20),
    sessionId,
    state: 'running',
    startedAt: clock.now(),
    correlationId,
  });
  return {
    ...service,
    list: async ({ limit }) => ({ items: [...all.values()].slice(0, limit) }),
    async create({ title, agentId }) {
      const now = clock.now();
      const session: Session = {
        id: makeId(32),
        title: title ?? 'New session',
        agentId: agentId ?? 'echo',
        state: 'active',
        status: 'idle',
        version: 1,
        createdAt: now,
        updatedAt: now,
        lastActivityAt: now,
        messageCount: 0,
        sizeBytes: 0,
        usage: { inputTokens: 0, outputTokens: 0 },
        waitingForYou: 0,
      };
      all.set(session.id, session);
      return session;
    },
    get: async (id) => ({ ...find(id), messages: [], turns: [] }),
    async update({ id, title, expectedVersion }) {
      const session = find(id);
      if (expectedVersion !== undefined && expectedVersion !== session.version) {
        throw fault('storage.version_conflict', 'Somebody else changed it.', { current: session.version });
      }
      const updated = { ...session, title: title ?? session.title, version: session.version + 1 };
      all.set(id, updated);
      return updated;
    },
    prompt: async ({ id }, { correlationId }) => turn(find(id).id, correlationId),
    resend: async ({ id }, { correlationId }) => turn(find(id).id, correlationId),
    setMode: async ({ id }) => find(id),
    setOption: async ({ id }) => find(id),
    async attachment(id, attachmentId) {
      const attachment = ATTACHMENTS[attachmentId];
      if (attachment === undefined) {
        throw fault('session.attachment_not_found', `There is no attachment ${attachmentId}.`, { id });
      }
      return attachment;
    },
    cancel: async (id, { correlationId }) => turn(find(id).id, correlationId),
    delete: async (id) => void all.delete(find(id).id),
    counts: () => ({ active: all.size, runningTurns: 0, limit: 100 }),
    pause: async () => undefined,
    resume: async () => undefined,
  };
}

function inMemoryAgents(clock: VirtualClock, counts: ReturnType<Agents['counts']>): Agents {
  const echo: Agent = {
    id: 'echo',
    name: 'Echo',
    description: '',
    launch: { kind: 'builtin', program: 'echo', args: [] },
    autostart: true,
    createdAt: clock.now(),
    version: 1,
    state: 'healthy',
    reason: 'it answered',
    since: clock.now(),
    generation: 1,
    runningTurns: 0,
    restarts: 0,
    attempt: 0,
    mcpServers: [],
    limits: {},
    authMethods: [],
    isProbed: true,
    failures: [],
    breakerLimit: 5,
    waitingForYou: 0,
    drills: ['crash'],
    drillResults: [],
    exits: [],
    heartbeats: [],
  };
  const find = (id: string): Agent => {
    if (id !== echo.id) throw fault('agent.not_found', `There is no agent ${id}.`, { id });
    return echo;
  };
  return {
    ...service,
    list: () => [echo],
    get: find,
    counts: () => counts,
    create: async (input) => ({ ...echo, ...input, id: 'made' }) as Agent,
    createDemoFleet: async () => [echo],
    update: async (change) => ({ ...find(change.id), ...change }) as Agent,
    test: async () => ({ ok: true, durationMs: 1, command: '/bin/echo', authMethods: [], stderr: '' }),
    detect: async () => ({ items: [], path: [], pathFrom: 'environment' }),
    authenticate: async (id) => find(id),
    retryAgent: async (id) => find(id),
    frames: (id) => {
      find(id);
      return [];
    },
    setMode: async () => undefined,
    setOption: async () => undefined,
    watchSessions: () => undefined,
    setWaiting: () => undefined,
    delete: async (id) => void find(id),
    startAgent: async (id) => find(id),
    stopAgent: async (id) => find(id),
    restartAgent: async (id) => find(id),
    drill: async (id) => find(id),
    prompt: async () => ({ stopReason: 'end_turn' }),
    forgetSession: () => undefined,
    pause: async () => undefined,
    reload: async () => undefined,
  };
}

const JOB: Job = {
  id: 'job1',
  kind: 'backup',
  title: 'Back up now',
  state: 'running',
  phase: 'reading',
  done: 0,
  unit: 'records',
  cancellable: true,
  startedAt: 0,
  correlationId: 'c1',
};

/** Archives are any bytes; what was taken in and what was let go of can be looked at. */
class InMemoryBackups implements Backups {
  readonly archives = new Map<string, Uint8Array>();
  cancelledDownloads = 0;
  brokenImports = 0;

  start = service.start;
  stop = service.stop;
  list = async () => ({ items: [], folder: '/data/backups' });
  create = async ({ correlationId }: { correlationId: string }) => ({ ...JOB, correlationId });
  delete = async (id: string) => void this.archives.delete(id);
  preview = async (id: string): Promise<never> => {
    throw this.#missing(id);
  };
  restore = async (id: string) => {
    if (!this.archives.has(id)) throw this.#missing(id);
    return JOB;
  };
  undoRestore = async (): Promise<never> => {
    throw fault('backup.nothing_to_undo', 'There is nothing to undo.');
  };

  async open(id: string) {
    const bytes = this.archives.get(id);
    if (bytes === undefined) throw this.#missing(id);
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(bytes);
        controller.close();
      },
      cancel: () => {
        this.cancelledDownloads += 1;
      },
    });
    return { fileName: `${id} "ü".stbackup`, sizeBytes: bytes.byteLength, stream };
  }

  async import(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Backup> {
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of stream) chunks.push(chunk);
      signal.throwIfAborted();
    } catch (error) {
      this.brokenImports += 1;
      throw error;
    }
    const bytes = Buffer.concat(chunks);
    if (!bytes.toString('latin1').startsWith('archive')) {
      throw fault('backup.archive_foreign', 'This is not an archive.');
    }
    this.archives.set('imported', bytes);
    return {
      id: 'imported',
      fileName: 'imported.stbackup',
      createdAt: 0,
      trigger: 'imported',
      sizeBytes: bytes.byteLength,
      sessions: 0,
      records: 0,
      adapter: 'memory',
      productVersion: '1.2.3',
      state: 'checked',
    };
  }

  #missing(id: string): Error {
    return fault('backup.not_found', `There is no backup ${id}.`, { id });
  }
}

function inMemoryNeedsYou(): NeedsYou {
  const missing = (id: string) => fault('needs_you.not_found', `There is no item ${id}.`, { id });
  return {
    list: async () => ({ items: [] }),
    get: async (id) => Promise.reject(missing(id)),
    answer: async ({ id }) => Promise.reject(missing(id)),
    policies: async () => [],
    deletePolicy: async (id) => Promise.reject(missing(id)),
  };
}

function inMemoryBudgets(): Budgets {
  const spent = { tokens: 0, money: 0, minutes: 0, unpriced: false };
  let state: BudgetState = {
    budgets: {},
    version: 0,
    day: '2026-01-01',
    today: spent,
    agents: [],
    raised: [],
    notices: [],
    prices: { asOf: '2026-01-01', source: 'test' },
  };
  return {
    state: async () => state,
    async set({ budgets }) {
      state = { ...state, budgets, version: state.version + 1 };
      return state;
    },
  };
}

function inMemorySecrets(clock: VirtualClock): Secrets {
  const all = new Map<string, Secret>();
  return {
    list: async () => ({ items: [...all.values()], protection: 'file' }),
    async set(name) {
      const secret = { name, updatedAt: clock.now(), usedBy: [] };
      all.set(name, secret);
      return secret;
    },
    async delete(name) {
      if (!all.delete(name)) throw fault('secret.not_found', `There is no secret ${name}.`, { name });
    },
  };
}

function inMemoryMoves(): Moves {
  const held = { product: 'Memory 1', location: 'this process', latencyMs: 0, notices: [] };
  return {
    describe: async () => ({
      ...held,
      type: 'memory',
      sharedByProcesses: false,
      sizeBytes: 0,
      documents: {},
      pinned: [],
      known: {},
    }),
    test: async ({ type }) => ({ ...held, type }),
    move: async (_, { correlationId }) => ({ ...JOB, kind: 'move', correlationId }),
  };
}

function inMemoryJobs(): Jobs {
  const get = async (id: string): Promise<Job> => {
    if (id !== JOB.id) throw fault('job.not_found', `There is no job ${id}.`, { id });
    return JOB;
  };
  return {
    ...service,
    list: async () => [JOB],
    get,
    run: async () => JOB,
    finished: get,
    cancel: get,
    recordsForSwitch: () => [],
  };
}
