import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { TurnSpending } from './turn-spending.ts';

let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock();
});

const begin = (options: Partial<ConstructorParameters<typeof TurnSpending>[0]> = {}) =>
  new TurnSpending({ clock, price: undefined, costBefore: undefined, ...options });
const minutes = (count: number) => clock.advance(count * 60_000);
const dollars = (amount: number) => ({ amount, currency: 'USD' });

describe('minutes', () => {
  test('do not run while the turn waits, until the last of several waits is over, nor after its end', async () => {
    const spending = begin();
    await minutes(1);
    const first = spending.pause();
    await minutes(10);
    const second = spending.pause();
    first.resume();
    first.resume();
    await minutes(10);
    expect(spending.total.minutes).toBe(1);
    second.resume();
    await minutes(2);
    expect(spending.total.minutes).toBe(3);
    const third = spending.pause();
    spending.end();
    third.resume();
    await minutes(10);
    expect(spending.total.minutes).toBe(3);
  });
});

describe('money', () => {
  test('told of the session is worth more than told of the turn, and that more than an estimate', () => {
    const spending = begin({ price: { input: 1, output: 1 }, costBefore: dollars(1) });
    spending.tellUsage({ inputTokens: 1_000_000, outputTokens: 0 });
    expect(spending.usage?.cost).toEqual({ ...dollars(1), estimated: true });
    spending.tellUsage({
      inputTokens: 1_000_000,
      outputTokens: 0,
      cost: { ...dollars(3), estimated: false },
    });
    expect(spending.total.money).toBe(3);
    spending.tellCost(dollars(5));
    expect(spending.total.money).toBe(4);
    expect(spending.sessionCost).toEqual(dollars(5));
  });

  test('goes on from where it was when the account is started anew in mid-turn', () => {
    const spending = begin({ costBefore: dollars(10) });
    spending.tellCost(dollars(12));
    spending.tellCost(dollars(1));
    expect(spending.total.money).toBe(3);
    spending.tellCost(dollars(1.5));
    expect(spending.total.money).toBe(3.5);
  });

  test('is not known of tokens without a price, and of nothing only when the turn is over', () => {
    const silent = begin();
    expect(silent.total.unpriced).toBe(false);
    silent.end();
    expect(silent.total.unpriced).toBe(true);
    const telling = begin();
    telling.tellUsage({ inputTokens: 1, outputTokens: 0 });
    expect(telling.total).toMatchObject({ tokens: 1, money: 0, unpriced: true });
    telling.tellPrice({ input: 2, output: 2 });
    expect(telling.total).toMatchObject({ money: 0.000002, unpriced: false });
  });
});
