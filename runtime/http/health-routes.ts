import { Hono } from 'hono';
import { fault } from '../contract/index.ts';
import type { HealthMonitor } from '../health/health.ts';
import type { Metrics } from '../health/metrics.ts';

export interface HealthRoutesDependencies {
  health: HealthMonitor;
  metrics: Metrics;
}

export const METRICS_PATHS = ['/metrics', '/metrics/json'];
export const HEALTH_PATHS = ['/health', '/health/ready', '/health/live', '/healthz', '/ready'];

/** Health and metrics as SPEC §4 names them, for both listeners. */
export function healthRoutes({ health, metrics }: HealthRoutesDependencies): Hono {
  const app = new Hono();
  // By path, because this is mounted at the root beside answers that may be cached.
  for (const path of [...HEALTH_PATHS, ...METRICS_PATHS]) {
    app.use(path, async (context, next) => {
      await next();
      context.header('cache-control', 'no-store');
    });
  }

  app.get('/health', async (context) => {
    const answer = await health.health();
    return context.json(answer, answer.status === 'healthy' ? 200 : 503);
  });
  app.get('/health/ready', async (context) => {
    const { ready, components } = await health.ready();
    const body = { status: ready ? 'ready' : 'not ready', timestamp: new Date().toISOString(), components };
    return context.json(body, ready ? 200 : 503);
  });
  app.get('/ready', async (context) => {
    const { ready } = await health.ready();
    return ready ? context.text('OK') : context.text('Service Unavailable', 503);
  });
  app.get('/health/live', (context) => context.json({ status: 'alive', uptime: process.uptime() }));
  app.get('/healthz', (context) => context.text('OK'));

  app.get('/metrics', async (context) => {
    requireMetrics(metrics);
    const { contentType, body } = await metrics.text();
    return context.body(body, 200, { 'content-type': contentType });
  });
  app.get('/metrics/json', async (context) => {
    requireMetrics(metrics);
    return context.json((await metrics.json()) as object);
  });
  return app;
}

function requireMetrics(metrics: Metrics): void {
  if (!metrics.enabled) throw fault('route.not_found', 'Metrics are off: METRICS_ENABLED is false.');
}
