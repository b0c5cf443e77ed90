import { test } from '@playwright/test';
import { backUpDeleteRestore, talkThroughKill } from './main-flow.ts';
import { type StartedProduct, type Surface, startProduct, whyNot } from './start-product.ts';

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
      product = await startProduct(surface, { browser });
      const app = await talkThroughKill(product);
      await test.step('a backup brings a deleted session back, identical', () => backUpDeleteRestore(app));
    });
  });
}
