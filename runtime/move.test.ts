/** The storage as the API tells of it, and the move to another one, on the whole runtime. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fill } from './backup/backup.fixture.ts';
import type {
  Job,
  Problem,
  RuntimeEvent,
  Session,
  SessionDetail,
  Setting,
  StorageOverview,
  StorageTest,
} from './contract/index.ts';
import { createRuntime, type Runtime, readSettings } from './index.ts';
import { openStorage } from './storage/open-storage.ts';
import { describeWithServers } from './storage/testing/servers/describe-with-servers.ts';
import { startPostgres } from './storage/testing/servers/postgres-server.ts';

let dataDir: string;
let runtime: Runtime;
let logs: string[];

async function start(env: Record<string, string> = {}): Promise<void> {
  runtime = await createRuntime({
    settings: await readSettings({ env: { HEALTH_PORT: '0', ...env, DATA_DIR: dataDir } }),
    mode: 'headless',
    auth: { mode: 'trusted' },
    writeLog: (line) => logs.push(line),
  });
  await runtime.start();
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-move-'));
  logs = [];
  await start();
});

afterEach(async () => {
  await runtime.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
  const response = await runtime.fetch(
    new Request(`http://runtime${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
}

async function idle(id: string): Promise<SessionDetail> {
  return vi.waitFor(
    async () => {
      const { body } = await call<SessionDetail>('GET', `/api/sessions/${id}`);
      expect(body.status).toBe('idle');
      return body;
    },
    { timeout: 15_000 },
  );
}

async function moveTo(choice: unknown): Promise<Job> {
  const begun = await call<Job>('POST', '/api/storage/move', choice);
  expect(begun.status, JSON.stringify(begun.body)).toBe(202);
  return vi.waitFor(
    async () => {
      const { body } = await call<Job>('GET', `/api/jobs/${begun.body.id}`);
      expect(body.state).not.toBe('running');
      return body;
    },
    { timeout: 15_000 },
  );
}

const setting = async (name: string): Promise<Setting | undefined> =>
  (await call<{ items: Setting[] }>('GET', '/api/settings')).body.items.find((one) => one.name === name);

test('everything goes over to another storage, without a restart, and is there after one', async () => {
  const { body: created } = await call<Session>('POST', '/api/sessions', { message: 'before' });
  const before = await idle(created.id);
  expect((await call<StorageOverview>('GET', '/api/storage')).body).toMatchObject({
    type: 'sqlite',
    product: expect.stringMatching(/^SQLite \d/),
    location: join(dataDir, 'storage'),
    documents: { sessions: 1 },
    pinned: [],
    known: {},
  });
  expect((await call<StorageTest>('POST', '/api/storage/test', { type: 'file' })).body).toMatchObject({
    type: 'file',
    empty: true,
  });

  expect(await moveTo({ type: 'file' })).toMatchObject({ state: 'succeeded' });
  expect((await call<SessionDetail>('GET', `/api/sessions/${created.id}`)).body).toEqual(before);
  await call('POST', `/api/sessions/${created.id}/prompt`, { message: 'after' });
  const after = await idle(created.id);
  expect(after.turns).toHaveLength(2);
  expect((await call<StorageOverview>('GET', '/api/storage')).body).toMatchObject({ type: 'file' });
  expect(await setting('STORAGE_TYPE')).toMatchObject({ value: 'file', source: 'file' });
  expect((await call<StorageTest>('POST', '/api/storage/test', { type: 'sqlite' })).body).toMatchObject({
    empty: false,
  });

  await runtime.stop();
  await start();
  expect((await call<SessionDetail>('GET', `/api/sessions/${created.id}`)).body).toEqual(after);
  expect((await call<StorageOverview>('GET', '/api/storage')).body).toMatchObject({ type: 'file' });
  // The source is as it was at the move.
  await runtime.stop();
  await start({ STORAGE_TYPE: 'sqlite' });
  const { body: old } = await call<SessionDetail>('GET', `/api/sessions/${created.id}`);
  expect(old.turns).toHaveLength(1);
}, 60_000);

test('a stop in the middle of it takes it back, and leaves the source in force', async () => {
  await runtime.stop();
  const storage = await openStorage({ type: 'sqlite', dataDir });
  await fill(storage, 15_000);
  await storage.close();
  await start();
  const { body: job } = await call<Job>('POST', '/api/storage/move', { type: 'file' });
  await vi.waitFor(
    async () => expect((await call<Job>('GET', `/api/jobs/${job.id}`)).body.phase).toBe('Copying'),
    { timeout: 20_000, interval: 2 },
  );
  await runtime.stop();
  await start();
  expect((await call<StorageOverview>('GET', '/api/storage')).body).toMatchObject({
    type: 'sqlite',
    documents: { sessions: 15_000 },
  });
  expect((await call<Job>('GET', `/api/jobs/${job.id}`)).body).toMatchObject({ state: 'interrupted' });
}, 60_000);

test('a choice that cannot be is refused in words, at its field, and told to nobody', async () => {
  const secret = 'hunter2-hunter2';
  const refused = await call<Problem>('POST', '/api/storage/test', {
    type: 'postgres',
    postgres: { url: `mysql://me:${secret}@db/talk` },
  });
  expect(refused.body).toMatchObject({
    status: 400,
    code: 'request.invalid',
    data: { issues: [{ path: 'postgres.url', message: expect.stringContaining('postgres://') }] },
  });
  expect((await call<Problem>('POST', '/api/storage/move', { type: 'sqlite' })).body).toMatchObject({
    status: 409,
    code: 'storage.same',
  });
  expect((await call<Problem>('POST', '/api/storage/move', { type: 'memory' })).body).toMatchObject({
    status: 400,
    code: 'request.invalid',
  });
  expect(
    (await call<Problem>('POST', '/api/storage/move', { type: 'redis', rediss: {} })).body,
  ).toMatchObject({ status: 400, code: 'request.invalid' });
  expect(JSON.stringify(refused.body) + logs.join('')).not.toContain(secret);
});

test('what the environment says is told, and not changed', async () => {
  await runtime.stop();
  await start({ STORAGE_TYPE: 'sqlite' });
  expect((await call<StorageOverview>('GET', '/api/storage')).body.pinned).toEqual(['STORAGE_TYPE']);
  expect((await call<Problem>('POST', '/api/storage/move', { type: 'file' })).body).toMatchObject({
    status: 409,
    code: 'storage.pinned',
    data: { variables: ['STORAGE_TYPE'] },
  });
  await expect(readFile(join(dataDir, 'settings.json'))).rejects.toMatchObject({ code: 'ENOENT' });
});

describeWithServers(['postgres'], 'with a PostgreSQL server', () => {
  test('the loss of a target is the end of the move, and no loss of the storage in force', async () => {
    const password = 'hunter2-hunter2';
    const server = await startPostgres();
    try {
      await runtime.stop();
      const storage = await openStorage({ type: 'sqlite', dataDir });
      await fill(storage, 15_000);
      await storage.close();
      await start();
      const { body: begun } = await call<Job>('POST', '/api/storage/move', {
        type: 'postgres',
        postgres: { url: server.url, password },
      });
      const job = () => call<Job>('GET', `/api/jobs/${begun.id}`).then(({ body }) => body);
      await vi.waitFor(async () => expect((await job()).phase).toBe('Copying'), {
        timeout: 20_000,
        interval: 2,
      });
      await server.kill();
      await vi.waitFor(async () => expect((await job()).state).not.toBe('running'), { timeout: 40_000 });
      expect(await job()).toMatchObject({ state: 'failed', error: { code: 'storage.unreachable' } });
      const { body: events } = await call<{ items: RuntimeEvent[] }>('GET', '/api/events?topics=storage.>');
      expect(events.items.map(({ type }) => type)).not.toContain('storage.degraded');
      expect(logs.filter((line) => line.includes('storage.degraded'))).toEqual([]);
      expect(logs.join('') + JSON.stringify(await job())).not.toContain(password);
    } finally {
      await server.stop();
    }
  }, 90_000);
});
