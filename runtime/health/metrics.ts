import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Different values that a label may take before the rest is counted as `other`: no label holds an unbounded value. */
const LABEL_LIMIT = 500;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Seconds. Storage and propagation are far below a millisecond on an ordinary disk. */
const FAST_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];
const HTTP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RECOVERY_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

/**
 * The metrics of SPEC §5, by what happened. Every function is cheap enough for a hot path and does nothing when metrics
 * are off. Durations are in seconds, times in milliseconds since the epoch.
 */
export interface Metrics {
  readonly enabled: boolean;
  /** `route` is a pattern such as `/api/sessions/{id}`, never a path. */
  httpRequest(method: string, route: string, status: number, seconds: number): void;
  storageOperation(operation: string, result: string, seconds: number): void;
  eventPublished(topic: string, priority: string): void;
  eventConsumed(topic: string, subscriberId: string): void;
  eventPropagation(seconds: number): void;
  agentHealthCheck(agentId: string, result: string): void;
  agentFailure(agentId: string, failureType: string): void;
  agentRecovery(agentId: string, result: 'succeeded' | 'failed', seconds: number): void;
  sessionCreated(): void;
  sessionsActive(count: number): void;
  deadLetters(count: number): void;
  /** Whether the storage is in degradation mode, and the bytes that wait for it in the journal. */
  storageMode(degraded: boolean, journalBytes: number): void;
  backupSucceeded(at: number): void;
  backupProven(at: number): void;
  /** Prometheus text exposition. */
  text(): Promise<{ contentType: string; body: string }>;
  /** The same as JSON. */
  json(): Promise<unknown>;
}

/** What wants to know the same as the metrics do; `Samples` is one. */
interface Observer {
  eventPublished(): void;
  eventPropagation(seconds: number): void;
  storageOperation(seconds: number): void;
}

export function createMetrics(options: {
  enabled: boolean;
  /** Told whether or not metrics are enabled. */
  observer?: Observer;
  /** Called before each exposition, to bring gauges up to date. A failure leaves them as they were. */
  collect?: (metrics: Metrics) => void | Promise<void>;
}): Metrics {
  const { enabled, observer } = options;
  const registry = new Registry();
  const registers = [registry];
  if (enabled) collectDefaultMetrics({ register: registry });

  const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: L[] = []) =>
    new Histogram({ name, help, buckets, labelNames, registers });

  const httpLabels: ('method' | 'route' | 'status')[] = ['method', 'route', 'status'];
  const httpRequests = counter('http_requests_total', 'HTTP requests answered', httpLabels);
  const httpDuration = histogram(
    'http_request_duration_seconds',
    'Time to the first byte of the answer',
    HTTP_BUCKETS,
    httpLabels,
  );
  const storageDuration = histogram(
    'storage_operations_duration_seconds',
    'Time of one operation of the storage',
    FAST_BUCKETS,
    ['operation', 'result'],
  );
  const eventsPublished = counter('events_published_total', 'Events published', ['topic', 'priority']);
  const eventsConsumed = counter('events_consumed_total', 'Events delivered', ['topic', 'subscriber_id']);
  const propagation = histogram(
    'event_propagation_seconds',
    'Time from the publishing of an event to its last live delivery',
    FAST_BUCKETS,
  );
  const healthChecks = counter('agent_health_checks_total', 'Health checks of agents', [
    'agent_id',
    'result',
  ]);
  const failures = counter('agent_failures_total', 'Failures of agents', ['agent_id', 'failure_type']);
  const recoveries = counter('agent_recoveries_total', 'Restarts of agents after a failure', [
    'agent_id',
    'result',
  ]);
  const recoveryDuration = histogram(
    'agent_recovery_duration_seconds',
    'Time from the failure of an agent until it is healthy again',
    RECOVERY_BUCKETS,
  );
  const sessionsTotal = counter('sessions_total', 'Sessions created');
  const sessionsActive = gauge('sessions_active', 'Sessions that are active');
  const deadLetters = gauge('dead_letters', 'Events that a subscriber could not handle');
  const storageDegraded = gauge('storage_degraded', '1 while the storage cannot be reached, otherwise 0');
  const journalBytes = gauge('storage_journal_bytes', 'Bytes that wait in the journal for the storage');
  const lastBackup = gauge('backup_last_success_timestamp_seconds', 'When the last good backup was made');
  const lastProven = gauge('backup_last_proven_timestamp_seconds', 'When a backup was last proven');

  const route = bounded();
  const topic = bounded();
  const consumedTopic = bounded();
  const subscriber = bounded();
  const agent = bounded();
  const failureType = bounded();

  const metrics: Metrics = {
    enabled,
    httpRequest(method, pattern, status, seconds) {
      if (!enabled) return;
      const labels = {
        method: METHODS.includes(method) ? method : 'OTHER',
        route: route(pattern),
        status: String(status),
      };
      httpRequests.inc(labels);
      httpDuration.observe(labels, seconds);
    },
    storageOperation(operation, result, seconds) {
      // A snapshot takes as long as its reader does, which says nothing of the storage.
      if (operation !== 'snapshot') observer?.storageOperation(seconds);
      if (enabled) storageDuration.observe({ operation, result }, seconds);
    },
    eventPublished(name, priority) {
      observer?.eventPublished();
      if (enabled) eventsPublished.inc({ topic: topic(name), priority });
    },
    eventConsumed(name, subscriberId) {
      if (enabled)
        eventsConsumed.inc({ topic: consumedTopic(name), subscriber_id: subscriber(subscriberId) });
    },
    eventPropagation(seconds) {
      observer?.eventPropagation(seconds);
      if (enabled) propagation.observe(seconds);
    },
    agentHealthCheck(agentId, result) {
      if (enabled) healthChecks.inc({ agent_id: agent(agentId), result });
    },
    agentFailure(agentId, type) {
      if (enabled) failures.inc({ agent_id: agent(agentId), failure_type: failureType(type) });
    },
    agentRecovery(agentId, result, seconds) {
      if (!enabled) return;
      recoveries.inc({ agent_id: agent(agentId), result });
      if (result === 'succeeded') recoveryDuration.observe(seconds);
    },
    sessionCreated() {
      if (enabled) sessionsTotal.inc();
    },
    sessionsActive(count) {
      if (enabled) sessionsActive.set(count);
    },
    deadLetters(count) {
      if (enabled) deadLetters.set(count);
    },
    storageMode(degraded, bytes) {
      if (!enabled) return;
      storageDegraded.set(degraded ? 1 : 0);
      journalBytes.set(bytes);
    },
    backupSucceeded(at) {
      if (enabled) lastBackup.set(at / 1000);
    },
    backupProven(at) {
      if (enabled) lastProven.set(at / 1000);
    },
    async text() {
      await collect();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    async json() {
      await collect();
      return registry.getMetricsAsJSON();
    },
  };

  async function collect(): Promise<void> {
    try {
      await options.collect?.(metrics);
    } catch {
      // The exposition is what one looks at when something fails: a gauge that cannot be read must not take it away.
    }
  }

  return metrics;
}

/** Lets the first {@link LABEL_LIMIT} different values pass and turns every further one into `other`. */
function bounded(): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= LABEL_LIMIT) return 'other';
    seen.add(value);
    return value;
  };
}
