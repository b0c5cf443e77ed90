/** Two runtimes and one Redis, which both can reach: only one of them may work there. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Job, Session, Status } from './contract/index.ts';
import { createRuntime, type Runtime, readSettings } from './index.ts';
import { moveOffline } from './move-command.ts';
import { describeWithServers } from './storage/testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from './storage/testing/servers/redis-server.ts';
import { startTcpProxy } from './storage/testing/servers/tcp-proxy.ts';

describeWithServers(['redis'], 'a storage that several runtimes can reach', () => {
  let folder: string;
  let server: RedisServer;
  let runtimes: Runtime[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'smalltalk-shared-'));
    server = await startRedis();
    runtimes = [];
  });

  afterEach(async () => {
    for (const runtime of runtimes) await runtime.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const environment = (name: string) => ({ HEALTH_PORT: '0', DATA_DIR: join(folder, name) });
  const onRedis = (name: string) => ({
    ...environment(name),
    STORAGE_TYPE: 'redis',
    REDIS_URL: server.url,
  });

  async function make(env: Record<string, string>): Promise<Runtime> {
    const runtime = await createRuntime({
      settings: await readSettings({ env }),
      mode: 'headless',
      auth: { mode: 'trusted' },
      writeLog: () => undefined,
    });
    runtimes.push(runtime);
    return runtime;
  }

  async function call<T>(runtime: Runtime, path: string, body?: unknown): Promise<T> {
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const headers = { 'content-type': 'application/json' };
    const response = await runtime.fetch(new Request(`http://runtime${path}`, { headers, ...sent }));
    return (await response.json()) as T;
  }

  const sessions = async (runtime: Runtime) =>
    (await call<{ items: Session[] }>(runtime, '/api/sessions')).items.map(({ title }) => title);

  test('is refused to the second one until the first one stops', async () => {
    const first = await make(onRedis('first'));
    await first.start();
    await call(first, '/api/sessions', { agentId: 'echo', title: 'of the first' });
    const second = await make(onRedis('second'));
    await expect(second.start()).rejects.toMatchObject({
      code: 'storage.locked',
      data: { pid: process.pid },
      message: expect.stringContaining('works on this storage'),
    });
    expect(await sessions(first)).toEqual(['of the first']);
    await first.stop();
    await second.start();
    expect(await sessions(second)).toEqual(['of the first']);
  }, 40_000);

  test('is shared when one could not reach it while another began: both go on, and it says so until that one stops', async () => {
    const proxy = await startTcpProxy({ port: server.port });
    onTestFinished(() => proxy.close());
    const first = await make({
      ...onRedis('first'),
      REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    });
    await first.start();
    await proxy.refuse();
    const second = await make(onRedis('second'));
    await second.start();
    await proxy.heal();
    const warnings = async () => (await call<Status>(first, '/api/status')).about.warnings;
    await vi.waitFor(
      async () =>
        expect(await warnings()).toContainEqual({
          code: 'storage.shared',
          message: expect.stringMatching(/^Another SmallTalk Console works on this storage\. Stop it/),
        }),
      { timeout: 40_000, interval: 100 },
    );
    // What each of them says of itself is nothing that a user could choose from.
    expect(await call(first, '/api/storage/conflicts')).toEqual({ items: [] });
    await second.stop();
    await vi.waitFor(async () => expect(await warnings()).toEqual([]), { timeout: 40_000, interval: 100 });
  }, 120_000);

  test('is not moved from, nor to, while one works on it', async () => {
    const first = await make(onRedis('first'));
    await first.start();
    await call(first, '/api/sessions', { agentId: 'echo', title: 'of the first' });
    const { signal } = new AbortController();
    const choice = { redis: {}, postgres: {} };
    const say = () => undefined;
    await expect(
      moveOffline({ env: onRedis('second'), choice: { ...choice, type: 'file' }, signal, say }),
    ).rejects.toMatchObject({ code: 'storage.locked' });

    const other = await make(environment('other'));
    await other.start();
    const begun = await call<Job>(other, '/api/storage/move', { type: 'redis', redis: { url: server.url } });
    const ended = await vi.waitFor(
      async () => {
        const job = await call<Job>(other, `/api/jobs/${begun.id}`);
        expect(job.state).not.toBe('running');
        return job;
      },
      { timeout: 20_000 },
    );
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'storage.locked' } });
    expect(await sessions(first)).toEqual(['of the first']);
  }, 60_000);
});
