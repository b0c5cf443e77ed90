/** The console as a user meets it, page by page, on one running product. */
import { gzipSync } from 'node:zlib';
import { type Browser, expect, type Page, test } from '@playwright/test';
import { expectAccessible } from './accessibility.ts';
import { Console, SETTINGS_SECTIONS } from './pages/console.ts';
import { type Product, startHeadless } from './start-headless.ts';

const PAGES = ['Overview', 'Needs you', 'Sessions', 'Agents', 'Events', 'Backups', 'Settings'] as const;

// All on one product.
test.describe.configure({ mode: 'default' });

let product: Product;
let failed = false;

test.beforeAll(async () => {
  product = await startHeadless({ env: { LOG_LEVEL: 'warn' } });
});

// biome-ignore lint/correctness/noEmptyPattern: Playwright wants the fixtures as an object pattern
test.afterEach(async ({}, info) => {
  if (info.status === info.expectedStatus) return;
  failed = true;
  await info.attach('logs', { body: product.logs });
});

test.afterAll(async () => {
  await product.dispose(!failed);
});

async function open(browser: Browser, options: Parameters<Browser['newPage']>[0] = {}): Promise<Console> {
  const page = await browser.newPage(options);
  await page.goto(product.url);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  return new Console(page);
}

async function createSession(page: Page, body: Record<string, string>): Promise<string> {
  return page.evaluate(async (input) => {
    const answer = await fetch('/api/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    return ((await answer.json()) as { id: string }).id;
  }, body);
}

test('without the token a browser is told where to find it, and a wrong one is refused', async ({ page }) => {
  await page.goto(product.origin);
  await expect(page.getByRole('heading', { name: 'SmallTalk Console needs its token' })).toBeVisible();
  await page.getByLabel('Token').fill('not-the-right-token-at-all');
  await page.getByRole('button', { name: 'Open the console' }).click();
  await expect(page.getByRole('alert')).toContainText('not the right one');
  await page.getByLabel('Token').fill(product.token);
  await page.getByRole('button', { name: 'Open the console' }).click();
  await expect(page.getByRole('navigation').getByRole('link', { name: 'Overview' })).toBeVisible();
  expect(page.url()).not.toContain('token');
});

test('the first load needs at most 350 KB of JavaScript, gzipped', async ({ page }) => {
  const scripts = new Map<string, Promise<number>>();
  page.on('response', (response) => {
    if (!/\.js$/.test(new URL(response.url()).pathname)) return;
    const size = response.body().then((body) => gzipSync(body).length);
    // Those that come after the first view are not asked for, and may still be on their way when the page is closed.
    size.catch(() => undefined);
    scripts.set(response.url(), size);
  });
  // What is asked for after the first view (the charts) is not waited for by anybody.
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (document.querySelector('h1') === null) return;
      performance.mark('first view');
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(product.url);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  const urls = await page.evaluate(() => {
    const firstView = performance.getEntriesByName('first view')[0]?.startTime ?? Number.POSITIVE_INFINITY;
    return performance
      .getEntriesByType('resource')
      .filter(({ startTime }) => startTime <= firstView)
      .map(({ name }) => name);
  });
  const sizes = await Promise.all(urls.map((url) => scripts.get(url) ?? 0));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThanOrEqual(350_000);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`no page has a serious problem of accessibility, ${colorScheme}`, async ({ browser }) => {
    test.setTimeout(120_000);
    const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.goto(product.url);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    const app = new Console(page);
    const id = await createSession(page, { title: 'For the eyes', message: '/tool' });
    const asking = await createSession(page, { title: 'Asks', message: '/ask' });
    await expect(page.getByRole('link', { name: /^Needs you \d+ waiting/ })).toBeVisible();
    for (const name of PAGES) {
      await app.open(name);
      await expectAccessible(page, `${name}, ${colorScheme}`);
    }
    for (const section of SETTINGS_SECTIONS) {
      await app.openSettings(section);
      await expectAccessible(page, `Settings, ${section}, ${colorScheme}`);
    }
    await page.goto(new URL(`/sessions/${asking}`, product.origin).href);
    await expect(app.waiting).toBeVisible();
    await expectAccessible(page, `a question, ${colorScheme}`);
    await app.waiting.getByRole('button', { name: 'Decline' }).click();
    await expect(app.waiting).toHaveCount(0);
    await page.goto(new URL(`/sessions/${id}`, product.origin).href);
    await expect(app.turn(1)).toBeVisible();
    await expectAccessible(page, `a session, ${colorScheme}`);
    await context.close();
  });
}

test('nothing has to be scrolled sideways in a small window', async ({ browser }) => {
  const app = await open(browser, { viewport: { width: 1024, height: 700 } });
  for (const name of PAGES) {
    await app.open(name);
    const overflow = await app.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow, name).toBeLessThanOrEqual(0);
  }
  for (const section of SETTINGS_SECTIONS) {
    await app.openSettings(section);
    const overflow = await app.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow, section).toBeLessThanOrEqual(0);
  }
  await app.page.context().close();
});

test('sessions are found by a part of their title, renamed, archived, and archived no more', async ({
  browser,
}) => {
  const app = await open(browser);
  await createSession(app.page, { title: 'Needle in the haystack' });
  await createSession(app.page, { title: 'Only hay' });
  await app.open('Sessions');
  await app.page.getByLabel('Search sessions').fill('NEEDLE');
  await expect(app.page.getByRole('link', { name: 'Only hay' })).toHaveCount(0);
  await app.page.getByRole('link', { name: 'Needle in the haystack' }).click();
  await app.page.getByRole('button', { name: 'Rename session' }).click();
  const dialog = app.page.getByRole('dialog');
  await dialog.getByLabel('Title').fill('Needle, found');
  await dialog.getByRole('button', { name: 'Rename session' }).click();
  await expect(app.page.getByRole('heading', { name: 'Needle, found', level: 1 })).toBeVisible();
  await app.page.getByRole('button', { name: 'Archive', exact: true }).click();
  await expect(app.page.getByRole('button', { name: 'Unarchive', exact: true })).toBeVisible();
  await app.open('Sessions');
  await expect(app.page.getByRole('link', { name: 'Only hay' })).toBeVisible();
  await expect(app.page.getByRole('link', { name: 'Needle, found' })).toHaveCount(0);
  await app.page.goBack();
  await app.page.getByRole('button', { name: 'Unarchive', exact: true }).click();
  await expect(app.page.getByRole('button', { name: 'Archive', exact: true })).toBeVisible();
  await app.page.context().close();
});

test('the tail of events stands still when it is paused, and says what came meanwhile', async ({
  browser,
}) => {
  const app = await open(browser);
  await app.open('Events');
  await app.page.getByRole('button', { name: 'Following' }).click();
  await createSession(app.page, { title: 'Made while paused' });
  const resume = app.page.getByRole('button', { name: /Paused · \d+ new/ });
  await expect(resume).toBeVisible();
  await expect(app.page.getByText('Made while paused')).toHaveCount(0);
  await resume.click();
  await expect(app.page.getByText('Made while paused').first()).toBeVisible();
  await app.page.context().close();
});

test('a file that is no archive is refused in words', async ({ browser }) => {
  const app = await open(browser);
  await app.open('Backups');
  const chooser = app.page.waitForEvent('filechooser');
  await app.page.getByRole('button', { name: 'Import…' }).click();
  await (await chooser).setFiles({
    name: 'holiday.stbackup',
    mimeType: 'application/octet-stream',
    buffer: Buffer.from('not a tar at all'),
  });
  await expect(app.page.getByText(/not a SmallTalk Console archive/i).first()).toBeVisible();
  await app.page.context().close();
});

test('the command palette leads anywhere by keyboard', async ({ browser }) => {
  const app = await open(browser);
  await app.page.keyboard.press('Control+k');
  await expect(app.page.getByRole('dialog').getByRole('textbox', { name: 'Search' })).toBeFocused();
  await app.page.keyboard.type('events');
  await app.page.keyboard.press('Enter');
  await expect(app.page.getByRole('heading', { name: 'Events', level: 1 })).toBeVisible();
  await expect(app.page.getByRole('dialog')).toHaveCount(0);
  await app.page.keyboard.press('g');
  await app.page.keyboard.press('s');
  await expect(app.page.getByRole('heading', { name: 'Sessions', level: 1 })).toBeVisible();
  await app.page.context().close();
});

test('an unknown address and an unknown session say so', async ({ browser }) => {
  const app = await open(browser);
  await app.page.goto(new URL('/nowhere', product.origin).href);
  await expect(app.page.getByRole('heading', { level: 1 })).toContainText(/not found|no such|nothing/i);
  await app.page.goto(new URL('/sessions/nosuchsession', product.origin).href);
  await expect(app.page.getByText(/There is no session/)).toBeVisible();
  await app.page.context().close();
});

test('when the process is gone the page says so and keeps what it has; when it is back, all is live again', async ({
  browser,
}) => {
  const app = await open(browser);
  await createSession(app.page, { title: 'Made before the end' });
  await app.open('Sessions');
  await expect(app.page.getByRole('link', { name: 'Made before the end' })).toBeVisible();
  // Every page and all that it is made of: what comes after it may be loaded first.
  await app.page.waitForFunction(() => {
    const loaded = new Set(performance.getEntriesByType('resource').map(({ name }) => name));
    const wanted = [...document.querySelectorAll<HTMLLinkElement>('link[rel=modulepreload]')];
    const isLast = [...loaded].some((name) => name.includes('settings-page'));
    return isLast && wanted.every(({ href }) => loaded.has(href));
  });
  await product.kill();
  await expect(app.page.getByText('Reconnecting to the runtime…')).toBeVisible({ timeout: 15_000 });
  await app.open('Backups');
  await app.open('Sessions');
  await expect(app.page.getByRole('link', { name: 'Made before the end' })).toBeVisible();
  await product.restart();
  await expect(app.page.getByText('Reconnecting to the runtime…')).toHaveCount(0, { timeout: 20_000 });
  await createSession(app.page, { title: 'Made after the return' });
  await expect(app.page.getByRole('link', { name: 'Made after the return' })).toBeVisible();
  await app.page.context().close();
});
