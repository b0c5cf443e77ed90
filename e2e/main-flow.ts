/** The way through the product that its users go first, in steps that any spec can take, on any storage and surface. */
import { expect, test } from '@playwright/test';
import type { SessionDetail } from '../runtime/contract/index.ts';
import { Console } from './pages/console.ts';
import type { StartedProduct } from './start-product.ts';

const FIRST_MESSAGE = 'Hello from the first run';

/** A session as the API tells it, asked by the page itself, so that all surfaces are asked in the same way. */
function readSession(consolePage: Console): Promise<SessionDetail> {
  return consolePage.page.evaluate(async () => {
    const id = location.pathname.split('/').at(-1);
    const answer = await fetch(`/api/sessions/${id}`);
    return (await answer.json()) as SessionDetail;
  });
}

/** Opens the session of the first run from the list; answers it as the API tells it. */
export async function openFirstSession(app: Console): Promise<SessionDetail> {
  await app.open('Sessions');
  await app.page
    .getByRole('link', { name: new RegExp(FIRST_MESSAGE) })
    .first()
    .click();
  await expect(app.turn(1)).toBeVisible();
  return readSession(app);
}

/** First run, a talk, a kill in mid-turn, and the same talk again. Answers the console of the restarted product. */
export async function talkThroughKill(started: StartedProduct): Promise<Console> {
  let app = new Console(await started.openConsole());

  await test.step('the first run offers the demo fleet', async () => {
    await app.page.getByRole('button', { name: 'Start the demo fleet' }).click();
    await app.open('Agents');
    for (const name of ['Echo', 'Slow echo', 'Noisy echo', 'Chat']) {
      await expect(app.page.getByText(name, { exact: true }).first()).toBeVisible();
    }
  });

  await test.step('a prompt streams its answer in', async () => {
    await app.newSession({ agent: 'Echo', message: FIRST_MESSAGE });
    await expect(app.answer(1)).toContainText(FIRST_MESSAGE);
    await expect.poll(async () => (await readSession(app)).status).toBe('idle');
  });

  await test.step('a kill in mid-turn leaves the session with the turn interrupted', async () => {
    await app.prompt('/slow 1000');
    // What was on the screen half a second before is durable; the newest word need not be. Four more are to come: a busy
    // machine needs some of that time to notice this one.
    await expect(app.answer(2)).toContainText('one');
    await started.kill();
    const path = new URL(app.page.url()).pathname;
    await started.restart();
    app = new Console(await started.openConsole());
    const session = await openFirstSession(app);
    expect(new URL(app.page.url()).pathname).toBe(path);
    await expect(app.answer(1)).toContainText(FIRST_MESSAGE);
    await expect(app.turn(2)).toContainText('Interrupted');
    await expect(app.answer(2)).toContainText('This answer takes its time');
    expect(session.turns.map((turn) => turn.state)).toEqual(['completed', 'interrupted']);
  });

  await test.step('it goes on', async () => {
    await app.prompt('And on we go');
    await expect(app.answer(3)).toContainText('And on we go');
    await expect.poll(async () => (await readSession(app)).status).toBe('idle');
  });

  return app;
}

/** A backup brings the deleted session back, identical. The page of that session is open before and after. */
export async function backUpDeleteRestore(app: Console): Promise<void> {
  const sessionPath = new URL(app.page.url()).pathname;
  const before = await readSession(app);
  await app.backUpNow();
  await openFirstSession(app);
  await expect(app.turn(3)).toBeVisible();
  await app.deleteOpenSession();
  await expect(app.page.getByRole('link', { name: new RegExp(FIRST_MESSAGE) })).toHaveCount(0);
  await app.restoreNewest();
  await openFirstSession(app);
  await expect(app.answer(3)).toContainText('And on we go');
  expect(new URL(app.page.url()).pathname).toBe(sessionPath);
  expect(await readSession(app)).toEqual(before);
}
