/** The agents as a user meets them: added, configured, made to fail on purpose, and brought back. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Browser, expect, test } from '@playwright/test';
import { expectAccessible } from './accessibility.ts';
import { AgentsPage } from './pages/agents.ts';
import { type Product, startHeadless } from './start-headless.ts';

const ROOT = join(import.meta.dirname, '..');
/** An agent of one's own as any other: here it is the program of the built-in one, by its command line. */
const ECHO = `'${process.execPath}' '${join(ROOT, 'runtime/agents/builtin/echo.ts')}'`;

// All on one product. Real processes are started in each of them, on a machine that may have much else to do.
test.describe.configure({ mode: 'default', timeout: 120_000 });

let product: Product;
let bin: string;
let failed = false;

test.beforeAll(async () => {
  // One of the well-known agents is installed.
  bin = await mkdtemp(join(tmpdir(), 'smalltalk-e2e-bin-'));
  await writeFile(join(bin, 'kilo'), `#!/bin/sh\nexec ${ECHO}\n`, { mode: 0o755 });
  // A hang is noticed by the same rules, only sooner.
  product = await startHeadless({
    env: {
      LOG_LEVEL: 'warn',
      HEARTBEAT_INTERVAL_MS: '500',
      LIVENESS_PROBE_TIMEOUT_MS: '1000',
      AGENT_HEARTBEAT_TIMEOUT: '6',
      PATH: `${bin}${delimiter}${process.env.PATH}`,
    },
  });
});

// biome-ignore lint/correctness/noEmptyPattern: Playwright wants the fixtures as an object pattern
test.afterEach(async ({}, info) => {
  if (info.status === info.expectedStatus) return;
  failed = true;
  await info.attach('logs', { body: product.logs });
});

test.afterAll(async () => {
  await product.dispose(!failed);
  await rm(bin, { recursive: true, force: true });
});

async function open(
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<AgentsPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(product.url);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  return new AgentsPage(page);
}

async function close(agents: AgentsPage): Promise<void> {
  await agents.console.page.context().close();
}

test('an agent is tried, then added by its command line, and answers', async ({ browser }) => {
  const agents = await open(browser);
  const dialog = await agents.addByCommand({ name: 'Mine', command: `${ECHO} --chunk 3` });
  await expect(dialog.getByRole('note', { name: 'How the line is understood' })).toContainText('--chunk');
  await dialog.getByRole('button', { name: 'Test' }).click();
  await expect(dialog.getByRole('status')).toContainText('It works');
  await expect(dialog.getByRole('status')).toContainText('ACP version 1');
  // Nothing is kept of a test.
  await expect(agents.row('Mine')).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Add agent' }).click();
  await expect(agents.drawer.getByRole('heading', { name: 'Mine' })).toBeVisible();
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });
  await agents.console.newSession({ agent: 'Mine', message: 'Do you hear me?' });
  await expect(agents.console.answer(1)).toContainText('Do you hear me?');
  await agents.console.openAgent('Mine');
  await agents.tab('Sessions');
  await expect(agents.drawer.getByRole('link', { name: 'Do you hear me?' })).toBeVisible();
  await close(agents);
});

test('a command that does not exist, or speaks no ACP, is refused in words, and nothing is added', async ({
  browser,
}) => {
  const agents = await open(browser);
  const dialog = await agents.addByCommand({ name: 'Ghost', command: 'no-such-agent-anywhere "half' });
  await dialog.getByRole('button', { name: 'Add agent' }).click();
  await expect(dialog.getByText('A " is not closed.')).toBeVisible();
  const line = dialog.getByRole('textbox', { name: 'Command line' });
  await line.fill('no-such-agent-anywhere');
  await dialog.getByRole('button', { name: 'Add agent' }).click();
  await expect(dialog.getByText(/no-such-agent-anywhere/).last()).toBeVisible();
  await line.fill(`'${process.execPath}' -e 'console.error("I am no agent"); process.exit(4)'`);
  await dialog.getByRole('button', { name: 'Test' }).click();
  await expect(dialog.getByRole('status')).toContainText('It does not work');
  await expect(dialog.getByLabel('Last lines', { exact: true })).toContainText('I am no agent');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(agents.row('Ghost')).toHaveCount(0);
  await close(agents);
});

test('the configuration is edited, with a secret that is never shown, and what is unsaved is not lost unasked', async ({
  browser,
}) => {
  const agents = await open(browser);
  const { page } = agents.console;
  // It says what it finds in its environment before it begins.
  const proof = join(product.dataDir, 'seen-by-agent');
  const command = `sh -c 'printf %s "$API_KEY" > "${proof}"; exec ${ECHO.replaceAll("'", '"')}'`;
  await agents.add({ name: 'Keyed', command });
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });
  await agents.tab('Configuration');
  const { drawer } = agents;
  await drawer.getByRole('button', { name: 'Add variable' }).first().click();
  await drawer.getByRole('textbox', { name: 'Name of variable 1' }).fill('API_KEY');
  await drawer.getByRole('combobox', { name: 'Kind of variable 1' }).click();
  await page.getByRole('option', { name: 'Secret' }).click();
  await drawer.getByRole('combobox', { name: 'Secret of variable 1' }).click();
  await page.getByRole('option', { name: 'New secret…' }).click();
  const secret = agents.question('New secret');
  await expect(secret.getByRole('textbox', { name: 'Name' })).toHaveValue('API_KEY');
  await secret.getByLabel('Value').fill('swordfish-1234');
  await secret.getByRole('button', { name: 'Keep secret' }).click();
  await expect(drawer.getByRole('combobox', { name: 'Secret of variable 1' })).toHaveValue('API_KEY');

  await drawer.getByRole('textbox', { name: 'Tokens, each day' }).fill('0');
  await drawer.getByRole('button', { name: 'Save changes' }).click();
  await expect(drawer.getByText('A number above 0.')).toBeVisible();
  await drawer.getByRole('textbox', { name: 'Tokens, each day' }).fill('50000');

  await drawer.getByRole('tab', { name: 'Now' }).click();
  await agents
    .question('Discard the changes to Keyed?')
    .getByRole('button', { name: 'Keep editing' })
    .click();
  await drawer.getByRole('button', { name: 'Save changes' }).click();
  await expect(agents.toast('The configuration of Keyed is saved')).toBeVisible();
  await expect.poll(() => readFile(proof, 'utf8')).toBe('swordfish-1234');
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });

  await page.reload();
  await expect(drawer.getByRole('combobox', { name: 'Secret of variable 1' })).toHaveValue('API_KEY');
  await expect(drawer.getByRole('textbox', { name: 'Tokens, each day' })).toHaveValue('50,000');
  await expect(page.getByText('swordfish-1234')).toHaveCount(0);
  expect(product.logs).not.toContain('swordfish-1234');
  await close(agents);
});

test('a change that somebody else made meanwhile is not overwritten unasked', async ({ browser }) => {
  const agents = await open(browser);
  await agents.add({ name: 'Shared', command: ECHO });
  await agents.tab('Configuration');
  const { drawer } = agents;
  await drawer.getByRole('textbox', { name: 'Description' }).fill('Mine');
  const id = new URL(agents.console.page.url()).searchParams.get('agent') ?? '';
  const change = (agentId: string) =>
    fetch(`/api/agents/${agentId}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ description: 'Theirs' }),
    }).then((answer) => answer.status);
  expect(await agents.console.page.evaluate(change, id)).toBe(200);
  await expect(drawer.getByText('It was changed elsewhere meanwhile')).toBeVisible();
  await expect(drawer.getByRole('textbox', { name: 'Description' })).toHaveValue('Mine');
  await drawer.getByRole('button', { name: 'Save mine over it' }).click();
  await expect(agents.toast('The configuration of Shared is saved')).toBeVisible();
  await expect(drawer.getByText('It was changed elsewhere meanwhile')).toHaveCount(0);
  await expect(drawer.getByRole('textbox', { name: 'Description' })).toHaveValue('Mine');
  await close(agents);
});

test('a crash drill: the agent falls, comes back by itself, and both are on record', async ({ browser }) => {
  const agents = await open(browser);
  await agents.console.openAgent('Echo');
  await agents.drillFromMenu('Crash');
  await expect(agents.toast(/Crash drill of Echo: noticed after .*, ready again after/)).toBeVisible();
  await expect(agents.state('Healthy')).toBeVisible();
  await agents.tab('Health');
  await expect(agents.drills.first()).toContainText('Crash');
  await expect(agents.drills.first()).toContainText('Recovered');
  await agents.tab('Exits');
  await expect(agents.exits.first()).toContainText(/SIG|Exit code/);
  await agents.console.newSession({ agent: 'Echo', message: 'Are you there?' });
  await expect(agents.console.answer(1)).toContainText('Are you there?');
  await close(agents);
});

test('a hang drill of a foreign agent warns, is noticed as unresponsive, and recovered from', async ({
  browser,
}) => {
  const agents = await open(browser);
  await agents.add({ name: 'Foreign', command: ECHO });
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });
  await agents.drill('Hang');
  const question = agents.question('Run the hang drill on Foreign?');
  await expect(question).toContainText('not built in');
  await question.getByRole('button', { name: 'Run drill' }).click();
  await expect(agents.toast(/Hang drill of Foreign: noticed after .*, ready again after/)).toBeVisible({
    timeout: 20_000,
  });
  await expect(agents.state('Healthy')).toBeVisible();
  await agents.tab('Health');
  await expect(agents.drawer.getByRole('region', { name: 'Changes of state' })).toContainText('Unresponsive');
  await expect(agents.drills.first()).toContainText('Hang');
  await expect(agents.drills.first()).toContainText('Recovered');
  await close(agents);
});

test('an agent that needs a login says how, and takes it', async ({ browser }) => {
  const agents = await open(browser);
  const shy = join(ROOT, 'runtime/agents/fixtures/misbehaving-agent.ts');
  await agents.add({ name: 'Shy', command: `'${process.execPath}' '${shy}' needs-login` });
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });
  const login = agents.drawer.getByRole('region', { name: 'Log in' });
  await expect(login.getByText(/misbehaving-agent\.ts.* login 'a b'/)).toBeVisible();
  await login.getByRole('button', { name: 'Log in: The web' }).click();
  await expect(agents.toast('Shy says that you are logged in')).toBeVisible();
  await agents.console.newSession({ agent: 'Shy', message: 'Who are you?' });
  await expect(agents.console.answer(1)).toContainText('Who are you?');
  await close(agents);
});

test('an agent that waits for an answer shows it, and what was allowed for good can be taken back', async ({
  browser,
}) => {
  const agents = await open(browser);
  const { page } = agents.console;
  await agents.console.newSession({ agent: 'Echo', message: '/permission edit' });
  await agents.console.open('Agents');
  const row = agents.row('Echo');
  await expect(row.getByText('Needs you')).toBeVisible();
  await expect(row.getByRole('link', { name: '1 item waits for you' })).toBeVisible();
  await expect(row.getByRole('link', { name: 'Answer: Echo' })).toBeVisible();
  const status = await page.evaluate(async () => {
    const { items } = (await (await fetch('/api/needs-you')).json()) as {
      items: { id: string; options: { id: string; kind: string }[] }[];
    };
    const answer = await fetch(`/api/needs-you/${items[0]?.id}/answer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        optionId: items[0]?.options.find(({ kind }) => kind.startsWith('allow'))?.id,
        remember: true,
      }),
    });
    return answer.status;
  });
  expect(status).toBe(200);
  await expect(row.getByText('Healthy')).toBeVisible();
  await row.click();
  await agents.tab('Configuration');
  const permissions = agents.drawer.getByRole('region', { name: 'Permissions' });
  await expect(permissions).toContainText('Always allowed: edit');
  await permissions.getByRole('button', { name: /^Ask again for edit/ }).click();
  await expect(permissions).toContainText('It asks each time.');
  await close(agents);
});

test('what a busy agent is at is cancelled from its row', async ({ browser }) => {
  const agents = await open(browser);
  await agents.console.newSession({ agent: 'Echo', message: '/quiet 600' });
  await agents.console.open('Agents');
  const row = agents.row('Echo');
  await expect(row.getByText('Busy')).toBeVisible();
  await row.getByRole('button', { name: 'Cancel: Echo' }).click();
  await expect(row.getByText('Healthy')).toBeVisible();
  await close(agents);
});

test('the frames of the protocol are seen, filtered, opened and held still', async ({ browser }) => {
  const agents = await open(browser);
  await agents.add({ name: 'Talker', command: ECHO });
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });
  await agents.console.newSession({ agent: 'Talker', message: 'Words on the wire' });
  await expect(agents.console.answer(1)).toContainText('Words on the wire');
  await agents.console.openAgent('Talker');
  await agents.tab('Protocol frames');
  await expect(agents.frames.first()).toBeVisible();
  await agents.drawer.getByRole('combobox', { name: 'Method' }).click();
  await agents.console.page.getByRole('option', { name: 'session/prompt' }).click();
  // The request, and above it the answer with the time that it took.
  await expect(agents.frames).toHaveCount(2);
  await expect(agents.frames.first()).toContainText(/answer.*(?:ms|s)/);
  await agents.frames.last().getByRole('button').first().click();
  await expect(agents.drawer.getByLabel(/^Frame \d/)).toContainText('Words on the wire');
  await expect(agents.drawer.getByRole('button', { name: /^Paused/ })).toBeVisible();
  await close(agents);
});

test('a crash loop: the breaker opens, its exits tell why, and once that is mended a retry serves', async ({
  browser,
}) => {
  const agents = await open(browser);
  const mended = join(product.dataDir, 'mended');
  const inner = ECHO.replaceAll("'", '"');
  await agents.add({
    name: 'Looper',
    command: `sh -c 'test -f "${mended}" || { echo "no configuration found" >&2; exit 3; }; exec ${inner}'`,
  });
  await expect(agents.state('Crash loop')).toBeVisible({ timeout: 60_000 });
  await agents.drawer.getByRole('button', { name: 'Close details' }).click();
  await agents.row('Looper').getByRole('link', { name: 'See exits: Looper' }).click();
  const { page } = agents.console;
  const exit = page.getByRole('article', { name: /^Exit of generation/ }).first();
  await expect(exit).toContainText('Exit code 3');
  await expect(exit).toContainText('no configuration found');
  await writeFile(mended, '');
  await page.getByRole('alert').getByRole('button', { name: 'Retry now' }).click();
  await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({ timeout: 15_000 });
  await close(agents);
});

test('what is on the machine is found, tried and added by a tick; what is not says how to get it', async ({
  browser,
}) => {
  const agents = await open(browser);
  const dialog = agents.addDialog;
  const openDialog = async (): Promise<void> => {
    await agents.console.open('Agents');
    await agents.console.page.getByRole('button', { name: 'Add agent' }).first().click();
    await expect(dialog.getByText(/^Searched \d+ folders/)).toBeVisible({ timeout: 20_000 });
  };
  await openDialog();
  const card = dialog.getByRole('article', { name: 'Kilo Code' });
  await expect(card.getByRole('checkbox')).toBeChecked();
  // Whoever runs the tests may have agents of their own.
  for (const box of await dialog.getByRole('checkbox').all()) await box.uncheck();
  await expect(dialog.getByRole('button', { name: 'Add 0 agents' })).toBeDisabled();
  await card.getByRole('button', { name: 'Test Kilo Code' }).click();
  await expect(card.getByRole('status')).toContainText('It works');
  await card.getByRole('checkbox').check();
  await dialog.getByRole('button', { name: 'Add 1 agent' }).click();
  await expect(agents.drawer.getByRole('heading', { name: 'Kilo Code' })).toBeVisible();
  await expect(agents.state('Healthy')).toBeVisible({ timeout: 15_000 });

  await openDialog();
  await expect(card.getByText('added already')).toBeVisible();
  await expect(card.getByRole('checkbox')).toBeDisabled();
  await dialog.getByRole('button', { name: /^Others that can be installed/ }).click();
  await expect(dialog.getByText('Install', { exact: true }).first()).toBeVisible();
  await close(agents);
});

test('a mouse that is pressed while the dialog opens, and let go once all is there, has clicked', async ({
  browser,
}) => {
  const agents = await open(browser);
  const { page } = agents.console;
  const found = Promise.withResolvers<void>();
  await page.route('**/api/agents/detected', async (route) => {
    await found.promise;
    await route.continue();
  });
  await agents.console.open('Agents');
  await page.getByRole('button', { name: 'Add agent' }).first().click();
  const label = agents.kinds.getByText('Command line');
  await label.waitFor();
  const { x, y, width, height } = await label.evaluate((element) => element.getBoundingClientRect());
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  found.resolve();
  await expect(agents.addDialog.getByText(/^Searched/)).toBeVisible({ timeout: 20_000 });
  await page.mouse.up();
  await expect(agents.kinds.getByRole('radio', { name: 'Command line' })).toBeChecked();
  await close(agents);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`no tab and no dialog of an agent has a serious problem of accessibility, ${colorScheme}`, async ({
    browser,
  }) => {
    test.setTimeout(240_000);
    const agents = await open(browser, { colorScheme, reducedMotion: 'reduce' });
    const { page } = agents.console;
    await agents.console.openAgent('Echo');
    for (const tab of ['Now', 'Health', 'Exits', 'Sessions', 'Configuration', 'Protocol frames'] as const) {
      await agents.tab(tab);
      await expect(agents.drawer.getByRole('tabpanel')).toBeVisible();
      await expectAccessible(page, `${tab}, ${colorScheme}`);
    }
    await page.getByRole('button', { name: 'Add agent' }).first().click();
    await expect(agents.addDialog.getByText(/^Searched/)).toBeVisible({ timeout: 20_000 });
    await expectAccessible(page, `found agents, ${colorScheme}`);
    await agents.chooseCommandLine();
    await agents.addDialog.getByRole('button', { name: 'Add variable' }).click();
    await expectAccessible(page, `by command line, ${colorScheme}`);
    await close(agents);
  });
}
