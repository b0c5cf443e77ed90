import { afterEach, describe, expect, it } from 'vitest';
import { type Application, createApplication, problemOf, request } from './application.fixture.ts';

let app: Application;
const open = async (options?: Parameters<typeof createApplication>[0]) => {
  app = await createApplication(options);
  return app;
};
afterEach(async () => {
  await app.stop();
  expect(app.clock.pending).toBe(0);
});

const fetch = (...input: Parameters<typeof request>) => app.fetch(request(...input));

describe('health routes', () => {
  it('answer as documented while all is well', async () => {
    await open();
    const health = await fetch('GET', '/health');
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([200, 'healthy']);
    const ready = await fetch('GET', '/ready');
    expect([ready.status, await ready.text()]).toEqual([200, 'OK']);
    expect(await (await fetch('GET', '/health/ready')).json()).toMatchObject({
      status: 'ready',
      components: { storage: { status: 'healthy' }, eventBus: { status: 'healthy' } },
    });
    for (const path of ['/healthz', '/health/live']) expect((await fetch('GET', path)).status).toBe(200);
    expect((await fetch('HEAD', '/health')).status).toBe(200);
  });

  it.each([
    [1, 'degraded'],
    [4, 'unhealthy'],
  ])('answer 503 with %i failed agents, and stay ready and alive', async (failed, status) => {
    await open({ agentCounts: { failed } });
    const health = await fetch('GET', '/health');
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([503, status]);
    for (const path of ['/ready', '/health/ready', '/healthz', '/health/live']) {
      expect((await fetch('GET', path)).status).toBe(200);
    }
  });

  it('serve metrics as text and as JSON', async () => {
    await open();
    await fetch('GET', '/api/status');
    const text = await fetch('GET', '/metrics');
    expect(text.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await text.text()).toContain(
      'http_requests_total{method="GET",route="/api/status",status="200"} 1',
    );
    expect(await (await fetch('GET', '/metrics/json')).json()).toContainEqual(
      expect.objectContaining({ name: 'http_requests_total', type: 'counter' }),
    );
  });

  it('say that metrics are off', async () => {
    await open({ env: { METRICS_ENABLED: 'false' } });
    expect(await problemOf(await fetch('GET', '/metrics'))).toMatchObject({ code: 'route.not_found' });
  });

  it('are all that the health listener has', async () => {
    await open();
    const ask = (method: string, path: string) => app.health.fetch(request(method, path));
    for (const path of [
      '/health',
      '/health/ready',
      '/health/live',
      '/healthz',
      '/ready',
      '/metrics',
      '/metrics/json',
    ]) {
      expect([path, (await ask('GET', path)).status]).toEqual([path, 200]);
    }
    for (const path of ['/', '/api/sessions', '/api/status']) {
      expect(await problemOf(await ask('GET', path))).toMatchObject({ code: 'route.not_found' });
    }
    expect((await problemOf(await ask('POST', '/health'))).code).toBe('route.method_not_allowed');
  });
});
