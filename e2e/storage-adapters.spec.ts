/** The console end to end on each of the five storages, with servers that the test starts itself, and the move between them. */
import { type Browser, expect, test } from '@playwright/test';
import { startPostgres } from '../runtime/storage/testing/servers/postgres-server.ts';
import { type ServerKind, serversMissing } from '../runtime/storage/testing/servers/programs.ts';
import { startRedis } from '../runtime/storage/testing/servers/redis-server.ts';
import { backUpDeleteRestore, openFirstSession, talkThroughKill } from './main-flow.ts';
import { Console } from './pages/console.ts';
import { type StartedProduct, startProduct } from './start-product.ts';

type Servers = { url: string; stop(): Promise<void> }[];

const STORAGES: Record<string, ServerKind[]> = {
  sqlite: [],
  file: [],
  redis: ['redis'],
  postgres: ['postgres'],
  hybrid: ['redis', 'postgres'],
};

const VARIABLES: Record<ServerKind, string> = { redis: 'REDIS_URL', postgres: 'POSTGRES_URL' };

let product: StartedProduct | undefined;
const servers: Servers = [];

// biome-ignore lint/correctness/noEmptyPattern: Playwright wants the fixtures as an object pattern
test.afterEach(async ({}, info) => {
  if (info.status !== info.expectedStatus) await info.attach('logs', { body: product?.logs ?? '' });
  await product?.dispose(info.status === info.expectedStatus);
  product = undefined;
  for (const server of servers.splice(0)) await server.stop();
});

async function startServer(kind: ServerKind): Promise<string> {
  const server = kind === 'redis' ? await startRedis() : await startPostgres();
  servers.push(server);
  return server.url;
}

async function start(browser: Browser, env: Record<string, string>): Promise<StartedProduct> {
  product = await startProduct('headless', { browser, env });
  return product;
}

for (const [type, kinds] of Object.entries(STORAGES)) {
  test(`the main job on ${type}`, async ({ browser }) => {
    const missing = kinds.length === 0 ? undefined : serversMissing(...kinds);
    test.skip(missing !== undefined, missing);
    test.setTimeout(150_000);
    const env: Record<string, string> = { STORAGE_TYPE: type };
    for (const kind of kinds) env[VARIABLES[kind]] = await startServer(kind);
    const started = await start(browser, env);
    const app = await talkThroughKill(started);
    await test.step('a backup brings a deleted session back, identical', () => backUpDeleteRestore(app));
    await test.step('the settings say where it is', async () => {
      await app.openSettings('Storage');
      await expect(app.storage.getByText('Healthy')).toBeVisible();
      await expect(app.storage.getByRole('row', { name: /^Latency .* for a round trip$/ })).toBeVisible();
      await expect(app.storage.getByText('STORAGE_TYPE', { exact: false })).toContainText(
        'set in the environment of the runtime',
      );
    });
  });
}

/** Goes to the settings and moves everything to another storage; resolves when it is there. */
async function move(app: Console, to: { name: string; address?: string; password?: string }): Promise<void> {
  await app.openSettings('Storage');
  await app.storage.getByRole('button', { name: 'Move to another storage…' }).click();
  const dialog = app.page.getByRole('dialog', { name: 'Move to another storage' });
  await dialog.getByRole('radio', { name: to.name, exact: true }).check();
  await expect(dialog.getByRole('button', { name: 'Move my data' })).toBeDisabled();
  if (to.address !== undefined) {
    const address = dialog.getByRole('textbox', { name: /^Address/ });
    await address.fill(to.address);
  }
  if (to.password !== undefined) {
    await dialog.getByRole('textbox', { name: /^Password/ }).fill(to.password);
  }
  await dialog.getByRole('button', { name: 'Test connection' }).click();
  await expect(dialog.getByText('The connection works')).toBeVisible();
  await dialog.getByRole('button', { name: 'Move my data' }).click();
  const question = app.page.getByRole('dialog', { name: `Move all data to ${to.name}?` });
  await question.getByRole('button', { name: 'Move my data' }).click();
  await expect(app.storage.getByText(new RegExp(`^Moved from .+ to ${escaped(to.name)}$`))).toBeVisible({
    timeout: 30_000,
  });
}

const escaped = (text: string) => text.replace(/[+.]/g, '\\$&');

test('a move to files and back, through the settings, without a restart', async ({ browser }) => {
  test.setTimeout(150_000);
  const started = await start(browser, {});
  let app = await talkThroughKill(started);
  const before = await openFirstSession(app);

  await move(app, { name: 'Files' });
  expect(await openFirstSession(app)).toEqual(before);
  await app.prompt('Written to files');
  await expect(app.answer(4)).toContainText('Written to files');

  await test.step('a restart goes by the new storage', async () => {
    await started.kill();
    await started.restart();
    app = new Console(await started.openConsole());
    await openFirstSession(app);
    await expect(app.answer(4)).toContainText('Written to files');
  });

  await move(app, { name: 'SQLite' });
  await openFirstSession(app);
  await expect(app.answer(4)).toContainText('Written to files');
  await app.prompt('And back again');
  await expect(app.answer(5)).toContainText('And back again');
});

test('a move to PostgreSQL and back, after a wrong address and a wrong password were told', async ({
  browser,
}) => {
  const missing = serversMissing('postgres');
  test.skip(missing !== undefined, missing);
  test.setTimeout(150_000);
  const server = await startPostgres();
  servers.push(server);
  const started = await start(browser, {});
  const app = await talkThroughKill(started);
  const before = await openFirstSession(app);
  const guarded = new URL(server.guardedUrl);
  const password = decodeURIComponent(guarded.password);
  guarded.password = '';

  await test.step('what is wrong is told in words', async () => {
    await app.openSettings('Storage');
    await app.storage.getByRole('button', { name: 'Move to another storage…' }).click();
    const dialog = app.page.getByRole('dialog', { name: 'Move to another storage' });
    await dialog.getByRole('radio', { name: 'PostgreSQL', exact: true }).check();
    const test = () => dialog.getByRole('button', { name: 'Test connection' }).click();
    const code = (name: string) => dialog.locator(`[role=alert][data-error-code="${name}"]`);
    await test();
    await expect(dialog.getByText('Where is the PostgreSQL server?')).toBeVisible();
    const address = dialog.getByRole('textbox', { name: /^Address/ });
    await address.fill('postgres://me@127.0.0.1:1/talk');
    await test();
    await expect(code('storage.unreachable')).toBeVisible();
    await address.fill(guarded.href);
    await dialog.getByRole('textbox', { name: /^Password/ }).fill('a wrong one');
    await test();
    await expect(code('storage.access_denied')).toBeVisible();
    await expect(dialog.getByRole('button', { name: 'Move my data' })).toBeDisabled();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  });

  await move(app, { name: 'PostgreSQL', address: guarded.href, password });
  expect(await openFirstSession(app)).toEqual(before);
  await app.prompt('Written to PostgreSQL');
  await expect(app.answer(4)).toContainText('Written to PostgreSQL');

  await test.step('the password is nowhere to be read', async () => {
    const said = await app.page.evaluate(async () => {
      const answers = await Promise.all(
        ['/api/settings', '/api/storage', '/api/jobs', '/api/events'].map((path) => fetch(path)),
      );
      return (await Promise.all(answers.map((answer) => answer.text()))).join('');
    });
    for (const text of [said, started.logs]) {
      expect(text).not.toContain(password);
      expect(text).not.toContain(encodeURIComponent(password));
    }
  });

  await move(app, { name: 'SQLite' });
  await openFirstSession(app);
  await expect(app.answer(4)).toContainText('Written to PostgreSQL');
});
