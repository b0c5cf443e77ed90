/** Two runtimes and one Redis, which both can reach: only one of them may work there. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job, Session } from './contract/index.ts';
import { createRuntime, type Runtime, readSettings } from './index.ts';
import { moveOffline } from './move-command.ts';
import { describeWithServers } from './storage/testing/servers/describe-with-servers.ts';
import { type RedisServer, startRedis } from './storage/testing/servers/redis-server.ts';

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
