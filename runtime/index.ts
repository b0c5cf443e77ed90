/**
 * The runtime as one part, to be embedded: `createRuntime` makes and wires everything by constructor arguments, and is
 * the only place that knows it all.
 */
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { createAgents } from './agents/agent-supervisor.ts';
import { createSecrets } from './agents/setup/secrets.ts';
import type { Quiesce } from './backup/backups.ts';
import { createBackups } from './backup/create-backups.ts';
import { createMoves } from './backup/create-moves.ts';
import { systemClock } from './base/clock.ts';
import { messageOf } from './base/errors.ts';
import { randomId, timeOrderedId } from './base/ids.ts';
import { lifecycle, type Service } from './base/lifecycle.ts';
import { createLogger, type Logger } from './base/logger.ts';
import { partsInOrder } from './base/parts-in-order.ts';
import type { Status } from './contract/index.ts';
import { createEventBus } from './events/create-event-bus.ts';
import type { LiveSubscription } from './events/event-bus.ts';
import { createStorageWatch } from './events/storage-watch.ts';
import { countEvents } from './health/event-metrics.ts';
import { createHealth } from './health/health.ts';
import { createMetrics } from './health/metrics.ts';
import { createSamples } from './health/samples.ts';
import { createHealthApp, createHttpApp } from './http/app.ts';
import type { Assets } from './http/assets.ts';
import { type AuthOptions, createAuth } from './http/auth.ts';
import type { Connection } from './http/connection.ts';
import { type Listener, listen } from './http/listen.ts';
import { createJobs } from './jobs/create-jobs.ts';
import { createBudgets } from './sessions/budgets/create-budgets.ts';
import { createSessions } from './sessions/create-sessions.ts';
import { createNeedsYou } from './sessions/needs-you/create-needs-you.ts';
import { SessionStore } from './sessions/session-store.ts';
import { dataDirOf, loadSettings } from './settings/load-settings.ts';
import { providersOf } from './settings/providers.ts';
import { readSettingsFile } from './settings/read-settings-file.ts';
import { createLearningRedactor } from './settings/redact.ts';
import { createSecretStore, type SecretProtection } from './settings/secret-store.ts';
import { securityWarnings } from './settings/security-warnings.ts';
import type { Settings } from './settings/settings.ts';
import { adoptStorage } from './settings/storage-choice.ts';
import { writeSettingsFile } from './settings/write-settings-file.ts';
import { CONFLICT_COLLECTION } from './storage/degraded/conflicts.ts';
import type { StorageMode } from './storage/degraded/mode.ts';
import { modeOf } from './storage/degraded.ts';
import { probeStorage } from './storage/probe-storage.ts';
import { createStorageInForce } from './storage-in-force.ts';

export { createAssets } from './http/assets.ts';
export type { SecretProtection } from './settings/secret-store.ts';
export type { Settings } from './settings/settings.ts';

export const PRODUCT_NAME = packageJson.productName;
const PRODUCT_VERSION = packageJson.version;

export interface RuntimeOptions {
  settings: Settings;
  mode: 'desktop' | 'headless';
  /** Who may call `fetch`; on the desktop `{ mode: 'trusted' }`. */
  auth: AuthOptions;
  /** Takes whole log lines, secrets already redacted. */
  writeLog: (line: string) => void;
  /** The built console; without it `fetch` answers only the API, health and metrics. */
  assets?: Assets;
  /** How secrets are encrypted where they lie; without it they lie in a file that only the user can read. */
  secretProtection?: SecretProtection;
}

/** Starts once and stops once: after a stop make another. */
export interface Runtime extends Service {
  /** The only way in: console, API, health, metrics. Never rejects. */
  fetch(request: Request, connection?: Connection): Promise<Response>;
  /** What the console shows in its frame. */
  status(): Promise<Status>;
  readonly logger: Logger;
  /**
   * Opens the health listener on `HEALTH_PORT`. Resolves with undefined when the port is taken: the runtime goes on
   * without it, and the console says so.
   */
  openHealthListener(): Promise<Listener | undefined>;
}

/**
 * The settings of the environment and of `settings.json` in the data folder; throws `settings.invalid` with all faults.
 * `dataDir` is where the data lies when nobody says.
 */
export async function readSettings(options: {
  env: Readonly<Record<string, string | undefined>>;
  dataDir?: string;
}): Promise<Settings> {
  const defaults = options.dataDir === undefined ? {} : { defaults: { dataDir: options.dataDir } };
  const file = await readSettingsFile(dataDirOf({ env: options.env, ...defaults }));
  return loadSettings({ env: options.env, ...(file === undefined ? {} : { file }), ...defaults });
}

/**
 * Makes a runtime that is not started yet. Nothing is opened or written before `start`. Rejects with
 * `storage.unsupported_type`.
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { mode } = options;
  /** A copy, because a move to another storage changes it while this runs. */
  const settings = { ...options.settings };
  const clock = systemClock;
  const makeId = randomId;
  /** Learns more: a password that comes in is no more shown than one of the settings. */
  const { redact, learn: learnSecrets } = createLearningRedactor([
    ...settings.secrets,
    ...(options.auth.mode === 'token' ? [options.auth.token] : []),
  ]);
  const startedAt = clock.now();
  const correlationId = timeOrderedId(startedAt, makeId);
  const logger = createLogger({
    level: settings.logLevel,
    structured: settings.structuredLogging,
    write: options.writeLog,
    redact,
  });
  const ownLogger = logger.with({ component: 'runtime', correlationId });
  const warnings = securityWarnings(settings);
  let running = false;

  const samples = createSamples({
    clock,
    activeSessions: () => sessions.counts().active,
  });
  const metrics = createMetrics({
    enabled: settings.metricsEnabled,
    observer: samples,
    collect: () => {
      metrics.sessionsActive(sessions.counts().active);
      const { state, journalBytes } = modeOf(storage.current);
      metrics.storageMode(state !== 'normal', journalBytes);
    },
  });
  const inForce = await createStorageInForce({
    settings,
    clock,
    makeId,
    logger,
    onOperation: (operation, result, seconds) => metrics.storageOperation(operation, result, seconds),
    onModeChange: (changed, report) => {
      health.forget();
      storageWatch.modeChanged(changed, report);
    },
  });
  const { storage } = inForce;
  const bus = createEventBus({
    storage,
    clock,
    makeId,
    logger: logger.with({ component: 'events' }),
    retentionHours: settings.eventRetentionHours,
    registrySize: settings.eventRegistryMaxSize,
    onPublished: (topic, priority) => metrics.eventPublished(topic, priority),
    onDelivered: (topic, subscriber) => metrics.eventConsumed(topic, subscriber),
    onPropagated: (seconds) => metrics.eventPropagation(seconds),
  });
  const storageWatch = createStorageWatch({ storage, bus, correlationId, logger });
  const jobs = createJobs({ storage, bus, clock, makeId, logger });
  const secretStore = createSecretStore({
    file: join(settings.dataDir, 'secrets.json'),
    clock,
    ...(options.secretProtection === undefined ? {} : { protection: options.secretProtection }),
  });
  const agents = createAgents({
    storage,
    bus,
    clock,
    makeId,
    logger,
    settings,
    secrets: secretStore,
    clientInfo: { name: PRODUCT_NAME, version: PRODUCT_VERSION },
  });
  const agentSecrets = createSecrets({
    store: {
      ...secretStore,
      async set(name, value) {
        learnSecrets([value]);
        return secretStore.set(name, value);
      },
    },
    agents: () => agents.list(),
  });
  const sessionStore = new SessionStore(storage, bus);
  const budgets = createBudgets({ storage, bus, agents, clock, logger });
  const needsYou = createNeedsYou({
    storage,
    bus,
    store: sessionStore,
    agents,
    budgets,
    clock,
    makeId,
    logger,
  });
  const sessions = createSessions({
    storage,
    bus,
    store: sessionStore,
    needsYou,
    budgets,
    agents,
    clock,
    makeId,
    logger,
    settings,
    onCreated: () => metrics.sessionCreated(),
  });
  const quiesce: Quiesce = {
    async pause(reason) {
      await agents.pause(reason);
      await sessions.pause(reason);
    },
    async resume() {
      await bus.reload();
      await agents.reload();
      await sessions.resume();
    },
    runningTurns: () => sessions.counts().runningTurns,
  };
  const backups = createBackups({
    storage,
    jobs,
    bus,
    clock,
    makeId,
    logger,
    folder: join(settings.dataDir, 'backups'),
    productVersion: PRODUCT_VERSION,
    quiesce,
  });
  const moves = createMoves({
    storage,
    jobs,
    bus,
    clock,
    logger,
    quiesce,
    settings: () => settings,
    makeStorage: inForce.make,
    probe: (of) => probeStorage({ ...of, dataDir: settings.dataDir }),
    refuseUsed: inForce.refuseUsed,
    onSecrets: learnSecrets,
    async adopt(plan, target) {
      await writeSettingsFile(settings.dataDir, plan.changes);
      Object.assign(settings, adoptStorage(settings, plan));
      storage.replace(target);
    },
  });
  /** As of the last look at the storage. */
  let conflicts = 0;
  const health = createHealth({
    clock,
    storage: async () => {
      const { documents, sizeBytes } = await storage.stats();
      const found = modeOf(storage.current);
      conflicts = documents[CONFLICT_COLLECTION] ?? 0;
      return {
        totalSessions: documents.sessions ?? 0,
        sizeBytes,
        backendType: storage.type,
        ...(found.state === 'normal' ? {} : { degraded: describeOutage(found) }),
      };
    },
    eventBus: () => ({ ...bus.stats(), accepting: running }),
    agents: () => agents.counts(),
    sessions: () => sessions.counts(),
  });

  async function status(): Promise<Status> {
    const current = await health.health();
    return {
      about: {
        name: PRODUCT_NAME,
        version: PRODUCT_VERSION,
        status: running ? 'running' : 'stopped',
        environment: settings.environment,
        timestamp: new Date(clock.now()).toISOString(),
        mode,
        startedAt,
        dataDir: settings.dataDir,
        pid: process.pid,
        warnings: [...warnings, ...inForce.warnings],
      },
      health: current,
      storage: {
        ...modeOf(storage.current),
        conflicts,
        ...(inForce.setAside === undefined ? {} : { setAside: inForce.setAside }),
      },
      providers: providersOf(settings),
    };
  }

  const shared = { settings, health, metrics, clock, makeId, logger, redact };
  const app = createHttpApp({
    ...shared,
    sessions,
    agents,
    needsYou,
    budgets,
    secrets: agentSecrets,
    bus,
    backups,
    moves,
    storageWatch,
    jobs,
    status,
    samples: (minutes) => samples.list(minutes),
    auth: createAuth(options.auth),
    ...(options.assets === undefined ? {} : { assets: options.assets }),
  });
  let counting: LiveSubscription | undefined;
  let restored: LiveSubscription | undefined;

  /** What agents are given, and no log line may hold. Secrets that cannot be read cannot be given either. */
  async function learnStoredSecrets(): Promise<void> {
    const unreadable = (error: unknown) =>
      ownLogger.error('A secret cannot be read; agents that need it will not start', {
        error: messageOf(error),
      });
    try {
      const kept = await secretStore.list();
      const read = await Promise.allSettled(kept.map(({ name }) => secretStore.get(name)));
      learnSecrets(
        read.flatMap((each) => (each.status === 'fulfilled' && each.value !== undefined ? [each.value] : [])),
      );
      // One that was kept by the keychain of another installation, say: the others are as secret as ever.
      for (const each of read) if (each.status === 'rejected') unreadable(each.reason);
    } catch (error) {
      unreadable(error);
    }
  }

  /** In the order of the arrows. */
  const parts = partsInOrder(
    [
      ...inForce.parts,
      { name: 'events', start: bus.start, stop: bus.stop },
      {
        name: 'storage watch',
        start: async () => {
          restored = bus.subscribe(
            { name: 'storage-watch', topics: ['data.generation.switched'] },
            inForce.restored,
          );
        },
        stop: async () => restored?.end(),
      },
      {
        name: 'metrics',
        start: async () => {
          counting = countEvents(bus, metrics);
        },
        stop: async () => counting?.end(),
      },
      { name: 'jobs', start: jobs.start, stop: jobs.stop },
      { name: 'backup', start: backups.start, stop: backups.stop },
      { name: 'secrets', start: learnStoredSecrets, stop: async () => undefined },
      { name: 'agents', start: agents.start, stop: agents.stop },
      { name: 'sessions', start: sessions.start, stop: sessions.stop },
      { name: 'samples', start: samples.start, stop: samples.stop },
    ],
    (part, error) => ownLogger.error('A part did not stop in order', { part, error: messageOf(error) }),
  );

  const service = lifecycle({
    async start() {
      await parts.start();
      running = true;
      for (const { code, message } of warnings) ownLogger.warn(message, { code });
      ownLogger.info('The runtime has started', {
        version: PRODUCT_VERSION,
        mode,
        settings: Object.fromEntries(settings.described.map(({ name, value }) => [name, value])),
      });
      await bus.publish({
        topic: 'runtime.started',
        correlationId,
        data: { version: PRODUCT_VERSION, mode },
      });
    },
    async stop() {
      // First, because a move holds back every commit until it has ended: also the one that tells of the stop.
      await jobs
        .stop()
        .catch((error: unknown) => ownLogger.error('The jobs did not stop', { error: messageOf(error) }));
      await bus
        .publish({ topic: 'runtime.stopping', correlationId, data: { reason: 'asked to stop' } })
        .catch((error: unknown) => ownLogger.warn('The stop could not be told', { error: messageOf(error) }));
      app.close();
      running = false;
      await parts.stop();
      ownLogger.info('The runtime has stopped');
    },
  });

  return {
    ...service,
    fetch: app.fetch,
    status,
    logger: ownLogger,
    async openHealthListener() {
      const { healthPort: port, bindAddress: host } = settings;
      try {
        return await listen({ fetch: createHealthApp(shared).fetch, port, host, setting: 'HEALTH_PORT' });
      } catch (error) {
        const message = `There is no health listener: ${messageOf(error)}`;
        warnings.push({ code: 'listen.no_health_listener', message });
        ownLogger.warn(message);
        return undefined;
      }
    },
  };
}

/** What degradation mode means, in words for health. */
function describeOutage({ state, journalCommits }: StorageMode): string {
  return state === 'draining'
    ? `The storage is back and takes over ${journalCommits} commits of the journal.`
    : 'The storage cannot be reached; writes go to a journal on this machine.';
}
