import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { loadSettings } from '../../settings/load-settings.ts';
import { DegradedStorage } from '../degraded.ts';
import { createStorage } from '../open-storage.ts';
import type { Storage } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startPostgres } from '../testing/servers/postgres-server.ts';
import { startRedis } from '../testing/servers/redis-server.ts';
import type { TestServer } from '../testing/servers/server-process.ts';

const SERVERS = [
  { type: 'postgres', start: () => startPostgres(), variable: 'POSTGRES_URL' },
  { type: 'redis', start: () => startRedis(), variable: 'REDIS_URL' },
] as const;

const WRITERS = 4;
const FOREVER = { timeout: 120_000, interval: 5 };

for (const { type, start, variable } of SERVERS) {
  describeWithServers([type], `degraded storage on ${type}`, () => {
    it.each<
      [string, (server: TestServer) => Promise<void> | void, (server: TestServer) => Promise<void> | void]
    >([
      ['is killed and started again', (server) => server.kill(), (server) => server.restart()],
      ['stops answering and goes on', (server) => server.pause(), (server) => server.resume()],
    ])(
      'loses, doubles and mixes up nothing when the server %s under load',
      { timeout: 120_000 },
      async (_, lose, bring) => {
        const server = await start();
        const folder = await mkdtemp(join(tmpdir(), `smalltalk-degraded-${type}-`));
        const { storage: settings } = loadSettings({
          env: { NODE_ENV: 'test', STORAGE_TYPE: type, [variable]: server.url },
        });
        const open = async (): Promise<Storage> => {
          const storage = await createStorage({ ...settings, dataDir: folder });
          await storage.open();
          return storage;
        };
        const storage = await open();
        if (!(storage instanceof DegradedStorage)) throw new Error(`${type} is not wrapped.`);
        const acknowledged: string[] = [];
        let stopping = false;
        let wanted = 0;
        const write = async (writer: number) => {
          for (let n = 1; !stopping; n++) {
            // As many as are wanted: what is written without the server has to be drained afterwards.
            if (acknowledged.length > wanted)
              await vi.waitUntil(() => stopping || acknowledged.length <= wanted, FOREVER);
            if (stopping) return;
            const value = `${writer}.${n}`;
            await storage.commit([
              { kind: 'append', log: 'events', value },
              { kind: 'append', log: `messages/${writer}`, value: n },
              { kind: 'put', collection: 'last', id: String(writer), value: n, expectVersion: n - 1 },
            ]);
            acknowledged.push(value);
          }
        };
        const writing = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i)));
        const more = async (count: number) => {
          wanted = acknowledged.length + count;
          await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(wanted), { timeout: 40_000 });
        };
        try {
          await more(100);
          await lose(server);
          // Somebody has to ask for it to be missed.
          wanted = acknowledged.length + 20;
          await vi.waitFor(() => expect(storage.mode().state).toBe('degraded'), { timeout: 40_000 });
          await more(100);
          await bring(server);
          await vi.waitFor(() => expect(storage.mode().state).toBe('normal'), { timeout: 40_000 });
          await more(100);
          stopping = true;
          await writing;
          await storage.close();
          const again = await open();
          for (let writer = 0; writer < WRITERS; writer++) {
            const count = acknowledged.filter((value) => value.startsWith(`${writer}.`)).length;
            const messages = await again.read<number>(`messages/${writer}`, { limit: 10_000 });
            expect(messages.map(({ value }) => value)).toEqual(
              Array.from({ length: count }, (_, i) => i + 1),
            );
            expect(await again.get('last', String(writer))).toMatchObject({ value: count, version: count });
          }
          await again.close();
        } finally {
          stopping = true;
          server.resume();
          await writing.catch(() => undefined);
          await storage.close();
          await server.stop();
          await rm(folder, { recursive: true, force: true });
        }
      },
    );
  });
}
