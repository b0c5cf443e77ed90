import { expect, test } from '@playwright/test';
import { crashLoop } from './crash-loop.ts';

test('25 kills at random moments under load lose no acknowledged prompt', async () => {
  test.setTimeout(240_000);
  const result = await crashLoop({ cycles: 25 });
  expect(result.acknowledged).toBeGreaterThan(25);
});
