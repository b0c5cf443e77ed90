/** What keeps the product from starting, or goes wrong beneath it: each told in words, with a code, and nothing lost. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { type Product, StartFailed, startHeadless } from './start-headless.ts';

const isRoot = process.getuid?.() === 0;

let dataDir: string;
const running: Product[] = [];
const mounted: string[] = [];

test.beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-bad-'));
});

test.afterEach(async () => {
  for (const product of running.splice(0)) await product.stop().catch(() => product.kill());
  for (const folder of mounted.splice(0)) execFileSync('umount', [folder]);
  await rm(dataDir, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}, folder = dataDir): Promise<Product> {
  const product = await startHeadless({ dataDir: folder, env });
  running.push(product);
  return product;
}

/** The failure of a start that must fail. */
async function failure(env: Record<string, string> = {}, folder = dataDir): Promise<StartFailed> {
  const error = await start(env, folder).then(
    () => new Error('It started'),
    (reason: unknown) => reason,
  );
  if (error instanceof StartFailed) return error;
  throw error;
}

/** The database that is active. */
async function dataFile(): Promise<string> {
  const { content } = JSON.parse(await readFile(join(dataDir, 'storage', 'CURRENT'), 'utf8'));
  return join(dataDir, 'storage', `${content.active}.sqlite`);
}

function call(product: Product, path: string, body?: unknown): Promise<Response> {
  return fetch(new URL(path, product.origin), {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${product.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

test('bad settings: exit code 2, a line a fault, no secret in it', async () => {
  const { exit, logs } = await failure({
    SESSION_TTL: 'soon',
    HEARTBEAT_INTERVALL_MS: '5',
    OPENAI_BASE_URL: 'not a url with hunter2hunter2',
    OPENAI_API_KEY: 'sk-hunter2hunter2hunter2',
  });
  expect(exit.code).toBe(2);
  expect(logs).toMatch(/SESSION_TTL.*soon/);
  expect(logs).toMatch(/HEARTBEAT_INTERVALL_MS.*HEARTBEAT_INTERVAL_MS/);
  expect(logs).not.toContain('sk-hunter2');
});

test('a storage without its address: exit code 2, and what to set', async () => {
  const { exit, logs } = await failure({ STORAGE_TYPE: 'hybrid', REDIS_URL: 'redis://127.0.0.1:1' });
  expect(exit.code).toBe(2);
  expect(logs).toMatch(/^POSTGRES_URL is not set, but must be set \(or PGHOST\)/m);
});

for (const [type, variable] of [
  ['redis', 'REDIS_URL'],
  ['postgres', 'POSTGRES_URL'],
] as const) {
  test(`a storage server that is not there (${type}) names the address, and keeps the password`, async () => {
    const url = `${type}://me:hunter2hunter2@127.0.0.1:1`;
    const { exit, logs } = await failure({ STORAGE_TYPE: type, [variable]: url });
    expect(exit.code).toBe(1);
    expect(logs).toContain('storage.unreachable');
    expect(logs).toContain('127.0.0.1:1');
    expect(logs).not.toContain('hunter2');
  });
}

test('a port that is taken names the port and the setting', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const { exit, logs } = await failure({ APP_PORT: String(port) });
  expect(exit.code).toBe(1);
  expect(logs).toContain(String(port));
  expect(logs).toContain('APP_PORT');
  expect(logs).toContain('listen.port_taken');

  const product = await start({ HEALTH_PORT: String(port) });
  const status = await (await call(product, '/api/status')).json();
  expect(status.about.warnings).toEqual([
    { code: 'listen.no_health_listener', message: expect.stringContaining('HEALTH_PORT') },
  ]);
  other.close();
});

test('a second process on the same data is refused, and the first goes on', async () => {
  const first = await start();
  const { logs } = await failure();
  expect(logs).toContain('storage.locked');
  expect(logs).toContain(String(first.pid));
  expect((await call(first, '/api/sessions', { message: 'still here' })).status).toBe(201);
});

test('after a kill the lock is not in the way', async () => {
  await (await start()).kill('SIGKILL');
  const again = await start();
  expect((await call(again, '/api/sessions')).status).toBe(200);
});

test('data of a newer version is left alone', async () => {
  const first = await start();
  await first.stop();
  const { default: Database } = await import('better-sqlite3');
  const path = await dataFile();
  const database = new Database(path);
  database.pragma('user_version = 9999');
  database.close();
  const before = await readFile(path);
  expect((await failure()).logs).toContain('storage.newer_version');
  expect(await readFile(path)).toEqual(before);
});

test('a data file that is garbage is set aside and named, and the product starts without data', async () => {
  const first = await start();
  expect((await call(first, '/api/sessions', { title: 'lost' })).status).toBe(201);
  await first.stop();
  const path = await dataFile();
  const garbage = 'This is not a database. '.repeat(1000);
  await writeFile(path, garbage);
  const second = await start();
  expect(second.logs).toContain('storage.set_aside');
  expect(second.logs).toContain(`${path}.damaged`);
  expect(await readFile(`${path}.damaged`, 'utf8')).toBe(garbage);
  expect((await (await call(second, '/api/sessions')).json()).items).toEqual([]);
  const status = await (await call(second, '/api/status')).json();
  expect(status.storage.setAside).toContain(`${path}.damaged`);
});

test('a read-only data folder', async () => {
  await mkdir(join(dataDir, 'inner'));
  const inner = join(dataDir, 'inner');
  if (isRoot) {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', inner], { stdio: 'pipe' });
    } catch (error) {
      test.skip(true, `A read-only file system cannot be mounted here: ${error}`);
    }
    mounted.push(inner);
  } else await chmod(inner, 0o500);
  const { exit, logs } = await failure({}, inner);
  expect(exit.code).toBe(1);
  expect(logs).toContain('storage.read_only');
});

test('a full disk: the prompt is refused, what was acknowledged is there, and it goes on once there is space', async () => {
  test.skip(!isRoot, 'A small file system can only be mounted by root');
  const inner = join(dataDir, 'inner');
  await mkdir(inner);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', inner], { stdio: 'pipe' });
  } catch (error) {
    test.skip(true, `A small file system cannot be mounted here: ${error}`);
  }
  mounted.push(inner);
  const product = await start({ LOG_LEVEL: 'error' }, inner);
  const acknowledged: string[] = [];
  let refused: { status: number; code: string } | undefined;
  for (let i = 0; i < 200 && refused === undefined; i++) {
    const answer = await call(product, '/api/sessions', {
      title: `session ${i}`,
      message: `${i} ${'x'.repeat(200_000)}`,
    });
    const body = await answer.json();
    if (answer.status === 201) acknowledged.push(body.id);
    else refused = { status: answer.status, code: body.code };
  }
  expect(refused).toEqual({ status: 507, code: 'storage.full' });
  expect(acknowledged.length).toBeGreaterThan(0);
  for (const id of acknowledged) expect((await call(product, `/api/sessions/${id}`)).status).toBe(200);

  execFileSync('mount', ['-o', 'remount,size=64m', inner], { stdio: 'pipe' });
  await expect
    .poll(async () => (await call(product, '/api/sessions', { title: 'after' })).status, { timeout: 15_000 })
    .toBe(201);
});
