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
  await expect(page.getByRole('link', { name: 'Needs you 1 waiting' })).toBeVisible();

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

test('a question is answered in a form, whatever its fields are', async ({ page }) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: '/ask' });
  await expect(app.waiting).toHaveCount(1);
  const send = app.waiting.getByRole('button', { name: 'Send' });
  await expect(send).toBeDisabled();
  await expect(app.waiting.getByText('Still needed: Name')).toBeVisible();
  await app.waiting.getByRole('textbox', { name: 'Name' }).fill('Ada');
  await app.waiting.getByRole('combobox', { name: 'Favourite colour' }).click();
  await page.getByRole('option', { name: 'blue' }).click();
  await app.waiting.getByRole('textbox', { name: 'Age' }).pressSequentially('36');
  await app.waiting.getByRole('checkbox', { name: 'Pineapple on pizza' }).check();
  await send.click();
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  for (const value of ['Ada', 'blue', '36', 'true']) await expect(app.answer(1)).toContainText(value);
  // Who answers by keyboard goes on writing.
  await expect(page.getByRole('textbox', { name: 'Message', exact: true })).toBeFocused();
});

test('what waits is told in the title of every page; the Overview and the palette lead to it', async ({
  page,
}) => {
  const app = await open(page);
  const ask = (message: string) => api<{ id: string }>('POST', '/sessions', { agentId: 'echo', message });
  await ask('/permission edit');
  await expect(page).toHaveTitle('(1) Overview · SmallTalk Console');
  await ask('/permission execute');
  await expect(page).toHaveTitle('(2) Overview · SmallTalk Console');
  await expect(page.getByRole('heading', { level: 1, name: '2 need you' })).toBeVisible();

  await page.getByRole('link', { name: 'Answer: Pretend to execute' }).click();
  const card = app.waiting.filter({ hasText: 'Pretend to execute' });
  await expect(card).toBeFocused();
  const address = page.url();
  await card.getByRole('button', { name: 'Allow', exact: true }).click();
  await expect(page).toHaveTitle('(1) Needs you · SmallTalk Console');
  // The address of an item that waits no more says how it ended.
  await page.goto(address);
  await page.reload();
  await expect(card).toContainText('by you');

  await app.open('Events');
  await page.keyboard.press('Control+k');
  const search = page.getByRole('dialog').getByRole('textbox', { name: 'Search' });
  await expect(search).toBeFocused();
  await search.fill('answer: pretend');
  await expect(page.getByRole('dialog').getByRole('button')).toHaveCount(1);
  await page.keyboard.press('Enter');
  await expect(app.waiting.filter({ hasText: 'Pretend to edit' })).toBeFocused();
});

test('an answer that comes too late is told so', async ({ page, context }) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: '/permission edit' });
  const late = new Console(await context.newPage());
  await late.page.goto(`${product.origin}/needs-you`);
  await expect(late.waiting).toHaveCount(1);
  // This window does not learn of the answer in the other one.
  await late.page.route('**/api/needs-you?*', (route) => route.abort());
  await app.waiting.getByRole('button', { name: 'Allow', exact: true }).click();
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  await late.waiting.getByRole('button', { name: 'Reject', exact: true }).click();
  await expect(late.page.getByRole('alert').filter({ hasText: 'Your answer came too late' })).toContainText(
    'This was answered already: Allow',
  );
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
  await app.waiting.getByRole('button', { name: 'Raise to 100,000 tokens' }).click();
  await expect(app.waiting).toHaveCount(0);
  await expect(app.answer(1)).toContainText('Cancelled. The budget of the session is used up');
  await app.turn(1).getByRole('button', { name: 'Send again' }).click();
  await expect(app.turn(2)).toHaveAttribute('data-state', 'completed');
  await app.open('Needs you');
  await page.getByText('Answered', { exact: true }).click();
  await expect(app.waiting).toContainText('Raised to 100,000 tokens');
});

test('budgets that two windows change at once are not overwritten unseen', async ({ page }) => {
  const app = await open(page);
  await app.openSettings('Budgets');
  const money = page.getByRole('textbox', { name: 'Everything, a day: Money (USD)' });
  // Key by key: "0." on the way to an amount stays in the field.
  await money.pressSequentially('0.5');
  await expect(money).toHaveValue('$0.5');
  await api('PUT', '/budgets', { budgets: { turn: { tokens: 5000 } } });
  await expect(page.getByText('The budgets were changed elsewhere meanwhile')).toBeVisible();
  await expect(money).toHaveValue('$0.5');
  await page.getByRole('button', { name: 'Take the others' }).click();
  await expect(money).toHaveValue('');
  await expect(page.getByRole('textbox', { name: 'Each turn: Tokens' })).toHaveValue('5,000');
  await expect(page.getByRole('button', { name: 'Save budgets' })).toBeDisabled();
});

test('the commands of the agent are chosen by keyboard, and choosing sends nothing', async ({ page }) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: 'hello' });
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  const message = page.getByRole('textbox', { name: 'Message', exact: true });
  const options = page.getByRole('option');
  await message.pressSequentially('/');
  await expect(options.first()).toBeVisible();
  await message.press('ArrowDown');
  const second = (await options.nth(1).getAttribute('id')) ?? '';
  await expect(message).toHaveAttribute('aria-activedescendant', second);
  await message.press('Escape');
  await expect(options).toHaveCount(0);
  await expect(message).toHaveValue('/');
  await message.pressSequentially('pe');
  await message.press('Enter');
  await expect(message).toHaveValue('/permission ');
  await message.fill('/pla');
  await message.press('Tab');
  await expect(message).toHaveValue('/plan');
  await expect(message).toBeFocused();
  await expect(page.getByRole('article')).toHaveCount(1);
  await message.press('Enter');
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

test('files are dropped and pasted, one that is too large is refused, and Send again takes them along', async ({
  page,
}) => {
  const app = await open(page);
  await app.newSession({ agent: 'Echo', message: 'hello' });
  await expect(app.turn(1)).toHaveAttribute('data-state', 'completed');
  const withFile = (name: string) =>
    page.evaluateHandle((called) => {
      const data = new DataTransfer();
      data.items.add(new File(['hi'], called, { type: 'text/plain' }));
      return data;
    }, name);
  // Not on the field: a browser would open the file in place of the console.
  await page
    .getByRole('heading', { level: 1 })
    .dispatchEvent('drop', { dataTransfer: await withFile('dropped.txt') });
  const message = page.getByRole('textbox', { name: 'Message', exact: true });
  await message.evaluate(
    (field, clipboardData) => {
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    },
    await withFile('pasted.txt'),
  );
  const files = page.getByLabel('Files that go with the message');
  await expect(files).toContainText('dropped.txt');
  await expect(files).toContainText('pasted.txt');
  await page.locator('input[type=file]').setInputFiles({
    name: 'large.bin',
    mimeType: 'application/octet-stream',
    buffer: Buffer.alloc(9 * 1024 * 1024),
  });
  await expect(page.getByText('large.bin has 9 MiB; at most 8 MiB are possible.')).toBeVisible();

  await app.prompt('/quiet 60');
  await page.getByRole('button', { name: 'Cancel turn' }).click();
  await expect(app.turn(2)).toHaveAttribute('data-state', 'cancelled');
  await expect(app.answer(2)).not.toContainText('Running');
  await app.turn(2).getByRole('button', { name: 'Send again' }).click();
  await expect(app.turn(3).getByRole('link', { name: /dropped.txt/ })).toBeVisible();
  await expect(app.turn(3).getByRole('link', { name: /pasted.txt/ })).toBeVisible();
});
