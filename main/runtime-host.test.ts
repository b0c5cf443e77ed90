import { describe, expect, it } from 'vitest';
import { createRuntimeHost, type EmbeddedRuntime } from './runtime-host.ts';

const request = () => new Request('app://console/api/sessions');

/** A runtime that does what it is told, and writes down what was asked of it. */
function fakeRuntime(behaviour: Partial<EmbeddedRuntime> = {}) {
  const calls: string[] = [];
  const runtime: EmbeddedRuntime = {
    async fetch() {
      calls.push('fetch');
      return new Response('answer');
    },
    async start() {
      calls.push('start');
      await behaviour.start?.();
    },
    async stop() {
      calls.push('stop');
      await behaviour.stop?.();
    },
  };
  return { runtime, calls };
}

describe('start', () => {
  it('makes one runtime, however often it is asked', async () => {
    const { runtime, calls } = fakeRuntime();
    let made = 0;
    const host = createRuntimeHost({
      create: async () => {
        made++;
        return runtime;
      },
      graceMs: 10_000,
    });
    await Promise.all([host.start(), host.start()]);
    await host.start();
    expect(made).toBe(1);
    expect(calls).toEqual(['start']);
  });

  it('lets requests wait for a start under way', async () => {
    const gate = Promise.withResolvers<void>();
    const { runtime } = fakeRuntime({ start: () => gate.promise });
    const host = createRuntimeHost({ create: async () => runtime, graceMs: 10_000 });
    const started = host.start();
    const response = host.fetch(request());
    gate.resolve();
    await started;
    expect(await (await response).text()).toBe('answer');
  });

  it('says why it failed, cleans up, and can be tried again with a fresh runtime', async () => {
    const broken = fakeRuntime({ start: () => Promise.reject(new Error('APP_PORT is not a number')) });
    const sound = fakeRuntime();
    const runtimes = [broken.runtime, sound.runtime];
    const host = createRuntimeHost({
      create: async () => runtimes.shift() ?? sound.runtime,
      graceMs: 10_000,
    });
    await expect(host.start()).rejects.toThrow('APP_PORT is not a number');
    expect(host.failure).toEqual(new Error('APP_PORT is not a number'));
    expect(broken.calls).toEqual(['start', 'stop']);
    const refused = await host.fetch(request());
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({
      code: 'runtime.failed',
      detail: 'APP_PORT is not a number',
    });

    await host.start();
    expect(host.failure).toBeUndefined();
    expect((await host.fetch(request())).status).toBe(200);
  });

  it('says why when not even a runtime could be made', async () => {
    const host = createRuntimeHost({ create: () => Promise.reject(new Error('no')), graceMs: 10_000 });
    await expect(host.start()).rejects.toThrow('no');
    expect(await host.stop()).toBe('stopped');
  });
});

describe('stop', () => {
  it('stops once, then refuses requests and starts', async () => {
    const { runtime, calls } = fakeRuntime();
    const host = createRuntimeHost({ create: async () => runtime, graceMs: 10_000 });
    await host.start();
    expect(await Promise.all([host.stop(), host.stop()])).toEqual(['stopped', 'stopped']);
    expect(calls).toEqual(['start', 'stop']);
    expect(await (await host.fetch(request())).json()).toMatchObject({ code: 'runtime.stopped' });
    await expect(host.start()).rejects.toThrow('shutting down');
  });

  it('waits for a start under way, so that nothing is left running', async () => {
    const gate = Promise.withResolvers<void>();
    const { runtime, calls } = fakeRuntime({ start: () => gate.promise });
    const host = createRuntimeHost({ create: async () => runtime, graceMs: 10_000 });
    const started = host.start();
    const stopped = host.stop();
    gate.resolve();
    await started;
    expect(await stopped).toBe('stopped');
    expect(calls).toEqual(['start', 'stop']);
  });

  it('gives up after the grace and says so', async () => {
    const told: unknown[] = [];
    const { runtime } = fakeRuntime({ stop: () => new Promise(() => undefined) });
    const host = createRuntimeHost({
      create: async () => runtime,
      graceMs: 5,
      onStopError: (error) => told.push(error),
    });
    await host.start();
    expect(await host.stop()).toBe('gave-up');
    expect(String(told[0])).toContain('within 5 ms');
  });

  it('gives up when the runtime cannot be stopped', async () => {
    const { runtime } = fakeRuntime({ stop: () => Promise.reject(new Error('stuck')) });
    const host = createRuntimeHost({ create: async () => runtime, graceMs: 10_000 });
    await host.start();
    expect(await host.stop()).toBe('gave-up');
  });
});
