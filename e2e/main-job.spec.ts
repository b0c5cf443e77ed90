import { expect, test } from '@playwright/test';
import type { SessionDetail } from '../runtime/contract/index.ts';
import { Console } from './pages/console.ts';
import { type StartedProduct, type Surface, startProduct, whyNot } from './start-product.ts';

/** A session as the API tells it, asked by the page itself, so that both surfaces are asked in the same way. */
function readSession(consolePage: Console): Promise<SessionDetail> {
  return consolePage.page.evaluate(async () => {
    const id = location.pathname.split('/').at(-1);
    const answer = await fetch(`/api/sessions/${id}`);
    return (await answer.json()) as SessionDetail;
  });
}

for (const surface of ['headless', 'electron'] satisfies Surface[]) {
  test.describe(`the main job, ${surface}`, () => {
    const reason = whyNot(surface);
    test.skip(reason !== undefined, reason);
    let product: StartedProduct | undefined;

    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the fixtures as an object pattern
    test.afterEach(async ({}, info) => {
      if (info.status !== info.expectedStatus) await info.attach('logs', { body: product?.logs ?? '' });
      await product?.dispose(info.status === info.expectedStatus);
      product = undefined;
    });

    test('first run, a talk, a kill, the same talk again, a backup and its restore', async ({ browser }) => {
      test.setTimeout(120_000);
      const started = await startProduct(surface, { browser });
      product = started;
      let app = new Console(await started.openConsole());

      await test.step('the first run offers the demo fleet', async () => {
        await app.page.getByRole('button', { name: 'Start the demo fleet' }).click();
        await app.open('Agents');
        for (const name of ['Echo', 'Slow echo', 'Noisy echo', 'Chat']) {
          await expect(app.page.getByText(name, { exact: true }).first()).toBeVisible();
        }
      });

      await test.step('a prompt streams its answer in', async () => {
        await app.newSession({ agent: 'Echo', message: 'Hello from the first run' });
        await expect(app.answer(1)).toContainText('Hello from the first run');
        await expect.poll(async () => (await readSession(app)).status).toBe('idle');
      });

      await test.step('a kill in mid-turn leaves the session with the turn interrupted', async () => {
        await app.prompt('/slow 700');
        // What was on the screen half a second before is durable; the newest word need not be.
        await expect(app.answer(2)).toContainText('after');
        await started.kill();
        const path = new URL(app.page.url()).pathname;
        await started.restart();
        app = new Console(await started.openConsole());
        await app.open('Sessions');
        await app.page
          .getByRole('link', { name: /Hello from the first run/ })
          .first()
          .click();
        expect(new URL(app.page.url()).pathname).toBe(path);
        await expect(app.answer(1)).toContainText('Hello from the first run');
        await expect(app.turn(2)).toContainText('Interrupted');
        await expect(app.answer(2)).toContainText('This answer takes its time');
        const session = await readSession(app);
        expect(session.turns.map((turn) => turn.state)).toEqual(['completed', 'interrupted']);
      });

      await test.step('it goes on', async () => {
        await app.prompt('And on we go');
        await expect(app.answer(3)).toContainText('And on we go');
        await expect.poll(async () => (await readSession(app)).status).toBe('idle');
      });

      await test.step('a backup brings a deleted session back, identical', async () => {
        const sessionPath = new URL(app.page.url()).pathname;
        const before = await readSession(app);
        await app.backUpNow();
        await app.open('Sessions');
        await app.page
          .getByRole('link', { name: /Hello from the first run/ })
          .first()
          .click();
        await expect(app.turn(3)).toBeVisible();
        await app.deleteOpenSession();
        await expect(app.page.getByRole('link', { name: /Hello from the first run/ })).toHaveCount(0);
        await app.restoreNewest();
        await app.open('Sessions');
        await app.page
          .getByRole('link', { name: /Hello from the first run/ })
          .first()
          .click();
        await expect(app.answer(3)).toContainText('And on we go');
        expect(new URL(app.page.url()).pathname).toBe(sessionPath);
        expect(await readSession(app)).toEqual(before);
      });
    });
  });
}
