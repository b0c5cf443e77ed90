import { expect, test } from 'vitest';
import { costOf, priceOf } from './prices.ts';

const NOW = Date.UTC(2026, 10, 21);

test.each([
  ['anthropic/claude-opus-5', { input: 5, output: 25 }],
  ['claude-sonnet-4-5-20250929', { input: 3, output: 15 }],
  ['openai/gpt-5-mini-2025-08-07', { input: 0.25, output: 2 }],
  ['gemini-2.5-pro', { input: 1.25, output: 10 }],
])('%s', (model, price) => {
  expect(priceOf(model, NOW)).toMatchObject(price);
});

test.each(['gpt-5-unheard-of', 'gpt', 'claude-sonnet-4-5-preview', 'toString', '', 'llama3.3'])(
  'there is no price for %j, and none is guessed',
  (model) => {
    expect(priceOf(model, NOW)).toBeUndefined();
  },
);

test('a price that changes holds from its day on', () => {
  expect(priceOf('claude-sonnet-5', Date.UTC(2026, 7, 31, 23, 59))).toMatchObject({ input: 2, output: 10 });
  expect(priceOf('claude-sonnet-5', Date.UTC(2026, 8, 1))).toMatchObject({ input: 3, output: 15 });
});

test('a million tokens each way cost both prices', () => {
  expect(costOf({ input: 3, output: 15 }, { inputTokens: 1_000_000, outputTokens: 1_000_000 })).toBe(18);
  expect(costOf({ input: 3, output: 15 }, { inputTokens: 1000, outputTokens: 0 })).toBeCloseTo(0.003, 12);
});
