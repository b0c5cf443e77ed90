/** Moves to a real server, which goes away in the middle. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { loadSettings } from '../settings/load-settings.ts';
import { openStorage } from '../storage/open-storage.ts';
import { describeWithServers } from '../storage/testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../storage/testing/servers/postgres-server.ts';
import { startRedis } from '../storage/testing/servers/redis-server.ts';
import { startTcpProxy, type TcpProxy } from '../storage/testing/servers/tcp-proxy.ts';
import { contentHash, fill, temporaryFolder } from './backup.fixture.ts';
import { createMoveRig, type MoveRig } from './move.fixture.ts';

const SESSIONS = 2000;

describeWithServers(['postgres'], 'a move to PostgreSQL', () => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let rig: MoveRig;
  let hash: string;
  let onStep: (name: string) => void | Promise<void>;

  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  beforeEach(async () => {
    proxy = await startTcpProxy(server);
    temporary = await temporaryFolder();
    onStep = () => undefined;
    const url = `postgres://smalltalk@127.0.0.1:${proxy.port}/smalltalk`;
    const dataDir = join(temporary.path, 'data');
    rig = await createMoveRig({
      dataDir,
      onStep: (name) => onStep(name),
      makeTarget: async (type) => {
        const { storage } = loadSettings({ env: { STORAGE_TYPE: 'postgres', POSTGRES_URL: url } });
        return type === 'postgres'
          ? openStorage({ ...storage, dataDir })
          : openStorage({ type: 'sqlite', dataDir: join(dataDir, type) });
      },
    });
    await fill(rig.storage, SESSIONS);
    hash = await contentHash(rig.storage);
  });
  afterEach(async () => {
    await rig.close();
    await proxy.close();
    await temporary.remove();
  });

  const toPostgres = () => rig.move({ type: 'postgres', postgres: { url: 'postgres://by-the-proxy/x' } });

  it('and back keeps everything', async () => {
    expect(await toPostgres()).toMatchObject({ state: 'succeeded' });
    expect(rig.storage.type).toBe('postgres');
    expect(await contentHash(rig.storage)).toBe(hash);
    await rig.storage.commit([{ kind: 'put', collection: 'sessions', id: 'after', value: 1 }]);
    const after = await contentHash(rig.storage);
    expect(await rig.move({ type: 'file' })).toMatchObject({ state: 'succeeded' });
    expect(await contentHash(rig.storage)).toBe(after);
  }, 60_000);

  for (const phase of ['Copying', 'Verifying']) {
    it(`that loses the server for good while “${phase}” says so, and nothing has changed`, async () => {
      onStep = async (name) => {
        if (name === phase) await proxy.refuse();
      };
      expect(await toPostgres()).toMatchObject({
        state: 'failed',
        error: { code: 'storage.unreachable' },
      });
      expect(rig.storage.type).toBe('sqlite');
      expect(await contentHash(rig.storage)).toBe(hash);
      await proxy.heal();
      onStep = () => undefined;
      expect(await toPostgres()).toMatchObject({ state: 'succeeded' });
      expect(await contentHash(rig.storage)).toBe(hash);
      const generations = await rig.storage.generations.list();
      expect(generations.length, 'what the failed move had begun is gone').toBeLessThanOrEqual(2);
    }, 90_000);
  }

  it('whose switch in the target may or may not have taken place has the source or the target in force', async () => {
    onStep = (name) => {
      if (name === 'Switching') proxy.cut();
    };
    const job = await toPostgres();
    expect(rig.storage.type).toBe(job.state === 'succeeded' ? 'postgres' : 'sqlite');
    if (job.state === 'failed') expect(job.error).toMatchObject({ code: 'storage.unreachable' });
    expect(await contentHash(rig.storage)).toBe(hash);
    onStep = () => undefined;
    const next = job.state === 'succeeded' ? await rig.move({ type: 'file' }) : await toPostgres();
    expect(next).toMatchObject({ state: 'succeeded' });
    expect(await contentHash(rig.storage)).toBe(hash);
    expect((await rig.storage.generations.list()).length).toBeLessThanOrEqual(2);
  }, 60_000);
});

describeWithServers(['redis', 'postgres'], 'a move from storage to storage', () => {
  it('keeps everything, all the way round', async () => {
    await using redis = await startRedis();
    await using postgres = await startPostgres();
    const temporary = await temporaryFolder();
    const dataDir = join(temporary.path, 'data');
    const env = { REDIS_URL: redis.url, POSTGRES_URL: postgres.url };
    const rig = await createMoveRig({
      dataDir,
      env,
      makeTarget: async (type) =>
        openStorage({ ...loadSettings({ env: { ...env, STORAGE_TYPE: type } }).storage, dataDir }),
    });
    try {
      await fill(rig.storage, 300);
      let hash = await contentHash(rig.storage);
      for (const [index, type] of (['redis', 'postgres', 'file', 'redis', 'sqlite'] as const).entries()) {
        expect(await rig.move({ type })).toMatchObject({ state: 'succeeded' });
        expect(rig.storage.type).toBe(type);
        expect(await contentHash(rig.storage), type).toBe(hash);
        // What is added on the way comes along, and the log goes on with its numbers wherever it is.
        const results = await rig.storage.commit([{ kind: 'append', log: 'moved', value: type }]);
        expect(results).toEqual([{ sequence: index + 1 }]);
        hash = await contentHash(rig.storage);
      }
    } finally {
      await rig.close();
      await temporary.remove();
    }
  }, 120_000);
});
