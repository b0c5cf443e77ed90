/** What the user sees and keeps when the storage goes away, comes back, or turns out to be damaged. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, expect, type Page, test } from '@playwright/test';
import { startPostgres } from '../runtime/storage/testing/servers/postgres-server.ts';
import { type ServerKind, serversMissing } from '../runtime/storage/testing/servers/programs.ts';
import { startRedis } from '../runtime/storage/testing/servers/redis-server.ts';
import type { TestServer } from '../runtime/storage/testing/servers/server-process.ts';
import { startTcpProxy } from '../runtime/storage/testing/servers/tcp-proxy.ts';
import { expectAccessible } from './accessibility.ts';
import { Console } from './pages/console.ts';
import { type Product, StartFailed, startHeadless } from './start-headless.ts';

/** What has to be ended, the last first. */
const cleanUps: (() => Promise<unknown>)[] = [];

// biome-ignore lint/correctness/noEmptyPattern: Playwright wants the fixtures as an object pattern
test.afterEach(async ({}, info) => {
  test.setTimeout(info.timeout + 30_000);
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(env: Record<string, string>, dataDir?: string): Promise<Product> {
  const product = await startHeadless({ env, ...(dataDir === undefined ? {} : { dataDir }) });
  cleanUps.push(() => product.dispose(true).catch(() => product.kill()));
  return product;
}

async function startServer(type: ServerKind): Promise<TestServer & { url: string }> {
  const server = type === 'redis' ? await startRedis() : await startPostgres();
  cleanUps.push(() => server.stop());
  return server;
}

async function call(product: Product, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(new URL(path, product.origin), {
    method,
    headers: { authorization: `Bearer ${product.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Resolves when the storage of the product is in that state. */
async function untilStorageIs(product: Product, state: string): Promise<void> {
  const current = async () => (await (await call(product, 'GET', '/api/status')).json()).storage.state;
  await expect.poll(current, { timeout: 40_000 }).toBe(state);
}

async function openPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  cleanUps.push(() => context.close());
  return context.newPage();
}

const banner = (page: Page) => page.getByRole('region', { name: 'Storage' }).first();

for (const [type, variable] of [
  ['postgres', 'POSTGRES_URL'],
  ['redis', 'REDIS_URL'],
] as const) {
  test(`${type} goes away: work goes on, everybody is told, and nothing is lost`, async ({ browser }) => {
    const missing = serversMissing(type);
    test.skip(missing !== undefined, missing);
    test.setTimeout(150_000);
    const server = await startServer(type);
    const product = await start({ STORAGE_TYPE: type, [variable]: server.url });
    const page = await openPage(browser);
    await page.goto(product.url);
    const app = new Console(page);
    await app.newSession({ agent: 'Echo', message: 'While all is well' });
    await expect(app.answer(1)).toContainText('While all is well');

    await server.kill();
    await app.newSession({ agent: 'Echo', message: 'While it is away' });
    await expect(app.answer(1)).toContainText('While it is away');
    await expect(banner(page)).toContainText('The storage cannot be reached since');
    await expect(banner(page)).toContainText(
      /changes? \(.*wait in the journal on this machine; none is lost/,
    );
    expect((await call(product, 'GET', '/ready')).status).toBe(503);
    expect((await call(product, 'GET', '/health/ready')).status).toBe(503);
    const health = await call(product, 'GET', '/health');
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({
      status: 'unhealthy',
      components: { storage: { status: 'unhealthy', message: expect.stringContaining('cannot be reached') } },
    });
    const metrics = await (await call(product, 'GET', '/metrics')).text();
    expect(metrics).toMatch(/^storage_degraded 1$/m);
    expect(metrics).toMatch(/^storage_journal_bytes [1-9]/m);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await expectAccessible(page, colorScheme);
    }
    const path = new URL(page.url()).pathname;

    await test.step('killed in this state, it does not start without the database, and says what waits', async () => {
      await product.kill();
      const failure = await product.restart().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(StartFailed);
      expect((failure as StartFailed).logs).toContain('storage.unreachable');
      expect((failure as StartFailed).logs).toMatch(/[1-9]\d* commits that were acknowledged/);
    });

    await server.restart();
    await product.restart();
    await page.goto(new URL(path, product.url).href);
    await expect(app.answer(1)).toContainText('While it is away');
    await expect(banner(page)).toHaveCount(0);

    await test.step('a second outage ends while it runs', async () => {
      await server.kill();
      await app.prompt('Once more');
      await expect(app.answer(2)).toContainText('Once more');
      await expect(banner(page)).toContainText('cannot be reached');
      await server.restart();
      await expect(
        page.getByText(/The storage is back after .* changes? ha(s|ve) been taken over/),
      ).toBeVisible({
        timeout: 40_000,
      });
      await expect(banner(page)).toHaveCount(0);
      expect((await call(product, 'GET', '/ready')).status).toBe(200);
    });
    await product.stop();
    await product.restart();
    const session = await (await call(product, 'GET', path.replace('/sessions', '/api/sessions'))).json();
    expect(session.turns.map(({ state }: { state: string }) => state)).toEqual(['completed', 'completed']);
  });
}

test('two instances change one session, the second begun while the storage is away for the first: the user chooses', async ({
  browser,
}) => {
  const missing = serversMissing('postgres');
  test.skip(missing !== undefined, missing);
  test.setTimeout(150_000);
  const server = await startServer('postgres');
  const proxy = await startTcpProxy({ port: server.port });
  cleanUps.push(() => proxy.close());
  const here = new URL(server.url);
  here.port = String(proxy.port);
  const mine = await start({ STORAGE_TYPE: 'postgres', POSTGRES_URL: here.href });
  const { id } = await (await call(mine, 'POST', '/api/sessions', { title: 'First title' })).json();

  await proxy.refuse();
  expect((await call(mine, 'PATCH', `/api/sessions/${id}`, { title: 'My title' })).status).toBe(200);
  // Takes over when the first has not been heard of for some time.
  const theirs = await start({ STORAGE_TYPE: 'postgres', POSTGRES_URL: server.url });
  expect((await call(theirs, 'PATCH', `/api/sessions/${id}`, { title: 'Their title' })).status).toBe(200);
  await proxy.heal();
  await untilStorageIs(mine, 'normal');

  const page = await openPage(browser);
  await page.goto(mine.url);
  await banner(page).getByRole('link', { name: 'Choose what to keep…' }).click();
  const conflict = page.getByRole('region', { name: /^Conflict about/ });
  await expect(conflict.getByRole('row', { name: /^title/ })).toContainText('My title');
  await expect(conflict.getByRole('row', { name: /^title/ })).toContainText('Their title');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await expectAccessible(page, colorScheme);
  }
  await conflict.getByRole('button', { name: 'Keep mine' }).click();
  await expect(page.getByText('No conflicts')).toBeVisible();
  for (const product of [mine, theirs]) {
    expect((await (await call(product, 'GET', `/api/sessions/${id}`)).json()).title).toBe('My title');
  }
});

/** Damages the main file of a storage that keeps files; answers where what was found damaged is kept then. */
const DAMAGE: Record<string, (dataDir: string) => Promise<string>> = {
  async sqlite(dataDir) {
    const { content } = JSON.parse(await readFile(join(dataDir, 'storage', 'CURRENT'), 'utf8'));
    const file = join(dataDir, 'storage', `${content.active}.sqlite`);
    await writeFile(file, 'This is not a database. '.repeat(1000));
    return `${file}.damaged`;
  },
  async file(dataDir) {
    await writeFile(join(dataDir, 'files', 'CURRENT'), 'This is not a pointer. '.repeat(10));
    return join(dataDir, 'files', 'damaged', 'store ');
  },
};

for (const [type, damage] of Object.entries(DAMAGE)) {
  test(`a damaged main file of ${type} is set aside, and the newest backup is one click away`, async ({
    browser,
  }) => {
    test.setTimeout(90_000);
    const dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-damaged-'));
    cleanUps.push(() => rm(dataDir, { recursive: true, force: true }));
    const product = await start({ STORAGE_TYPE: type }, dataDir);
    const page = await openPage(browser);
    await page.goto(product.url);
    const app = new Console(page);
    await app.newSession({ agent: 'Echo', message: 'Keep me' });
    await expect(app.answer(1)).toContainText('Keep me');
    await app.backUpNow();
    await product.stop();
    const kept = await damage(dataDir);
    await product.restart();
    await page.goto(product.url);
    await expect(banner(page)).toContainText('The data file was damaged and has been set aside');
    await expect(banner(page)).toContainText(kept);
    await banner(page).getByRole('link', { name: 'Restore the newest backup…' }).click();
    const wizard = page.getByRole('dialog', { name: /^Restore / });
    for (let step = 0; step < 3; step++) await wizard.getByRole('button', { name: 'Continue' }).click();
    await wizard.getByRole('textbox', { name: 'Type RESTORE to confirm' }).fill('RESTORE');
    await wizard.getByRole('button', { name: 'Restore this backup' }).click();
    await expect(wizard.getByText('The backup is restored')).toBeVisible();
    await wizard.getByRole('button', { name: 'Done' }).click();
    await expect(banner(page)).toHaveCount(0);
    await app.open('Sessions');
    await page
      .getByRole('link', { name: /Keep me/ })
      .first()
      .click();
    await expect(app.answer(1)).toContainText('Keep me');
  });
}
