/** What waits for the user: answered once, from anywhere; rules; budgets; and nothing waits for ever. */
import { expect, type Page, test } from '@playwright/test';
import { Console } from './pages/console.ts';
import { type Product, startHeadless } from './start-headless.ts';

let product: Product;
let failed = false;

test.beforeEach(async () => {
  product = await startHeadless({ env: { LOG_LEVEL: 'warn' } });
  failed = false;
});

// biome-ignore lint/correctness/noEmptyPattern: Playwright wants the fixtures as an object pattern
test.afterEach(async ({}, info) => {
  failed = info.status !== info.expectedStatus;
  if (failed) await info.attach('logs', { body: product.logs });
  await product.dispose(!failed);
});

async function open(page: Page): Promise<Console> {
  await page.goto(product.url);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  return new Console(page);
}

async function api<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${product.origin}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${product.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as T;
}

test('a permission is answered once, in the session or on its page, and a rule answers the next ones', async ({
  page,
  context,
}) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: '/permission edit' });
  await expect(page.getByRole('link', { name: 'Needs you, 1 waiting' })).toBeVisible();

  const other = new Console(await context.newPage());
  await other.page.goto(`${product.origin}/needs-you`);
  await expect(other.waiting).toHaveCount(1);
  const [item] = (await api<{ items: { id: string; options: { id: string }[] }[] }>('GET', '/needs-you'))
    .items;

  await app.waiting.getByRole('checkbox', { name: /^Always answer “edit”/ }).check();
  await app.waiting.getByRole('button', { name: 'Allow', exact: true }).click();
  await expect(app.waiting).toHaveCount(0);
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  await expect(other.page.getByText('Nothing waits for you')).toBeVisible();
  const late = await api<{ code: string }>('POST', `/needs-you/${item?.id}/answer`, {
    optionId: item?.options[0]?.id,
  });
  expect(late.code).toBe('needs_you.already_answered');

  // The rule answers now, and says so in the history.
  await app.prompt('/permission edit');
  await expect(app.turn(2)).toHaveAttribute('data-state', 'completed');
  await other.page.getByText('Answered', { exact: true }).click();
  await expect(other.page.getByText('by a rule of yours')).toBeVisible();
  await other.page.getByText('Rules', { exact: true }).click();
  await other.page.getByRole('button', { name: 'Ask again about edit of Echo' }).click();
  await expect(other.page.getByText('You are asked every time')).toBeVisible();
  await app.prompt('/permission edit');
  await expect(app.waiting).toHaveCount(1);
});

test('what waits when the app is killed is withdrawn, its turn is marked, and one click asks anew', async ({
  page,
}) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: '/permission execute' });
  await expect(app.waiting).toHaveCount(1);
  await product.kill();
  await product.restart();
  await page.goto(product.url);
  await app.open('Needs you');
  await expect(page.getByText('Nothing waits for you')).toBeVisible();
  await app.open('Sessions');
  await page.getByRole('row').nth(1).click();
  await page.getByRole('link', { name: 'Open full page' }).or(page.getByRole('article')).first().waitFor();
  await expect(app.turn(1)).toHaveAttribute('data-state', 'interrupted');
  await app.turn(1).getByRole('button', { name: 'Send again' }).click();
  await expect(app.waiting).toHaveCount(1);
  await app.waiting.getByRole('button', { name: 'Allow', exact: true }).click();
  await expect(app.turn(2)).toHaveAttribute('data-state', 'completed');
});

test('a question is answered in a form', async ({ page }) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: '/ask' });
  await expect(app.waiting).toHaveCount(1);
  const field = app.waiting.getByRole('textbox').first();
  await field.fill('blue');
  await app.waiting.getByRole('button', { name: 'Send' }).click();
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  await expect(app.answer(1)).toContainText('blue');
});

test('a budget that is used up cancels and asks; raised, the prompt is sent again with one click', async ({
  page,
}) => {
  const app = await open(page);
  await app.openSettings('Budgets');
  await page.getByRole('textbox', { name: 'Each session: Tokens' }).fill('1000');
  await page.getByRole('button', { name: 'Save budgets' }).click();
  await expect(page.getByText('The budgets are saved')).toBeVisible();
  await app.newSession({ agent: 'Echo', message: '/usage 1500 0.5' });
  await expect(app.waiting).toContainText('1,000 tokens');
  await app.waiting.getByRole('textbox', { name: 'New limit' }).fill('100000');
  await app.waiting.getByRole('button', { name: /^Raise/ }).click();
  await expect(app.waiting).toHaveCount(0);
  await app.turn(1).getByRole('button', { name: 'Send again' }).click();
  await expect(app.turn(2)).toHaveAttribute('data-state', 'completed');
});

test('a file goes with a prompt and is there to be opened', async ({ page }) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: 'hello' });
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('buy milk') });
  await expect(page.getByText('notes.txt · 8 B')).toBeVisible();
  await app.prompt('see the file');
  await expect(app.turn(2)).toHaveAttribute('data-state', 'completed');
  const link = app.turn(2).getByRole('link', { name: /notes.txt/ });
  const answer = await page.request.get(
    new URL((await link.getAttribute('href')) ?? '', product.origin).href,
  );
  expect(await answer.text()).toBe('buy milk');
});
