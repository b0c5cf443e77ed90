import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

/**
 * One sample a line, by the rules of the text exposition format 0.0.4; throws on a line that is none. Letters in numbers
 * may have any case: prom-client writes `Nan`, which Prometheus reads.
 */
function parse(text: string) {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) {
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})?) ([+-]?(?:\d.*|Inf)|NaN)$/i.exec(
        line,
      );
    if (sample === null) throw new Error(`Not a line of the exposition format: ${line}`);
    samples.set(sample[1] ?? '', Number(sample[2]));
  }
  return { types, samples };
}

describe('createMetrics', () => {
  it('serves every documented metric with its type and labels', async () => {
    const metrics = createMetrics({ enabled: true });
    metrics.httpRequest('GET', '/api/sessions/{id}', 200, 0.012);
    metrics.storageOperation('commit', 'ok', 0.0002);
    metrics.eventPublished('agent.state.changed', 'high');
    metrics.eventConsumed('agent.state.changed', 'console');
    metrics.eventPropagation(0.0003);
    metrics.agentHealthCheck('a1', 'ok');
    metrics.agentFailure('a1', 'crash');
    metrics.agentRecovery('a1', 'succeeded', 0.5);
    metrics.sessionCreated();
    metrics.sessionsActive(3);
    metrics.deadLetters(2);
    metrics.backupSucceeded(1_700_000_000_500);
    const { contentType, body } = await metrics.text();
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    const { types, samples } = parse(body);
    expect(Object.fromEntries(types)).toMatchObject({
      sessions_total: 'counter',
      sessions_active: 'gauge',
      agent_health_checks_total: 'counter',
      agent_failures_total: 'counter',
      agent_recoveries_total: 'counter',
      agent_recovery_duration_seconds: 'histogram',
      events_published_total: 'counter',
      events_consumed_total: 'counter',
      event_propagation_seconds: 'histogram',
      storage_operations_duration_seconds: 'histogram',
      http_requests_total: 'counter',
      http_request_duration_seconds: 'histogram',
      dead_letters: 'gauge',
      backup_last_success_timestamp_seconds: 'gauge',
      backup_last_proven_timestamp_seconds: 'gauge',
      process_cpu_seconds_total: 'counter',
      nodejs_heap_size_used_bytes: 'gauge',
    });
    expect(Object.fromEntries(samples)).toMatchObject({
      'http_requests_total{method="GET",route="/api/sessions/{id}",status="200"}': 1,
      'storage_operations_duration_seconds_count{operation="commit",result="ok"}': 1,
      'events_published_total{topic="agent.state.changed",priority="high"}': 1,
      'events_consumed_total{topic="agent.state.changed",subscriber_id="console"}': 1,
      'agent_health_checks_total{agent_id="a1",result="ok"}': 1,
      'agent_failures_total{agent_id="a1",failure_type="crash"}': 1,
      'agent_recoveries_total{agent_id="a1",result="succeeded"}': 1,
      sessions_total: 1,
      sessions_active: 3,
      dead_letters: 2,
      backup_last_success_timestamp_seconds: 1_700_000_000.5,
    });
  });

  it('never lets a label grow without bound', async () => {
    const metrics = createMetrics({ enabled: true });
    for (let i = 0; i < 2000; i++) {
      metrics.eventPublished(`topic.t${i}`, 'normal');
      metrics.httpRequest(`M${i}`, `/r${i}`, 200, 0.001);
      metrics.agentFailure(`agent-${i}`, `type-${i}`);
    }
    const { samples } = parse((await metrics.text()).body);
    const series = (name: string) => [...samples.keys()].filter((key) => key.startsWith(`${name}{`)).length;
    expect(series('events_published_total')).toBe(501);
    expect(series('http_requests_total')).toBe(501);
    expect(series('agent_failures_total')).toBe(501);
    expect(samples.get('events_published_total{topic="other",priority="normal"}')).toBe(1500);
    expect(samples.get('http_requests_total{method="OTHER",route="other",status="200"}')).toBe(1500);
  });

  it('brings gauges up to date before it answers, and answers even when that fails', async () => {
    let active = 4;
    const metrics = createMetrics({
      enabled: true,
      collect: async (gauges) => {
        if (active < 0) throw new Error('gone');
        gauges.sessionsActive(active);
      },
    });
    expect(parse((await metrics.text()).body).samples.get('sessions_active')).toBe(4);
    active = -1;
    expect(parse((await metrics.text()).body).samples.get('sessions_active')).toBe(4);
    active = 5;
    expect(await metrics.json()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'sessions_active', values: [{ value: 5, labels: {} }] }),
      ]),
    );
  });

  it('keeps two instances apart, and tells its observer also when it is off', async () => {
    const seen: string[] = [];
    const off = createMetrics({
      enabled: false,
      observer: {
        eventPublished: () => seen.push('event'),
        eventPropagation: (seconds) => seen.push(`propagation ${seconds}`),
        storageOperation: (seconds) => seen.push(`storage ${seconds}`),
      },
    });
    const on = createMetrics({ enabled: true });
    off.sessionCreated();
    off.eventPublished('a', 'normal');
    off.eventPropagation(1);
    off.storageOperation('commit', 'ok', 2);
    expect(seen).toEqual(['event', 'propagation 1', 'storage 2']);
    expect(parse((await on.text()).body).samples.get('sessions_total')).toBe(0);
    expect(parse((await off.text()).body).samples.get('sessions_total')).toBe(0);
  });
});
