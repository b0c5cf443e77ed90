import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { TurnSpending } from './turn-spending.ts';

let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock();
});

type Options = Partial<ConstructorParameters<typeof TurnSpending>[0]>;
const unopened = (options: Options = {}) =>
  new TurnSpending({ clock, price: undefined, costBefore: undefined, ...options });

/** A turn whose agent has been prompted. */
function begin(options: Options = {}, knownBy: Parameters<TurnSpending['tellOpened']>[0] = 'kept') {
  const spending = unopened(options);
  spending.tellOpened(knownBy);
  return spending;
}

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

  test('is estimated by the dearer model when it is switched in mid-turn, and by the last one before', () => {
    const spending = unopened({ price: { input: 9, output: 9 } });
    spending.tellPrice({ input: 2, output: 5 });
    spending.tellOpened('kept');
    spending.tellUsage({ inputTokens: 1_000_000, outputTokens: 1_000_000 });
    expect(spending.total.money).toBe(7);
    spending.tellPrice({ input: 1, output: 6 });
    expect(spending.total.money).toBe(8);
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

describe('the account of an agent that counts over the whole session', () => {
  const after10 = { costBefore: dollars(10) };

  test('goes on in the process that kept the session', () => {
    const spending = begin(after10);
    spending.tellCost(dollars(12));
    expect(spending.total).toMatchObject({ money: 2, unpriced: false });
  });

  test.each(['new', 'primed'] as const)('begins at nothing in a session that is %s', (knownBy) => {
    const spending = begin(after10, knownBy);
    expect(spending.sessionCost).toEqual(dollars(0));
    spending.tellCost(dollars(12));
    expect(spending.total).toMatchObject({ money: 12, unpriced: false });
    expect(spending.usage?.cost).toEqual({ ...dollars(12), estimated: false });
  });

  describe.each(['resumed', 'loaded'] as const)('of a session that was %s', (knownBy) => {
    test('has begun anew when it says less than before', () => {
      const spending = begin(after10, knownBy);
      spending.tellCost(dollars(3));
      expect(spending.total).toMatchObject({ money: 3, unpriced: false });
    });

    test('goes on when it says as much as before', () => {
      const spending = begin(after10, knownBy);
      spending.tellCost(dollars(10));
      spending.tellCost(dollars(14));
      expect(spending.total).toMatchObject({ money: 4, unpriced: false });
    });

    test('is either when it says more: what is certain is counted, and that it may be more is told', () => {
      const spending = begin(after10, knownBy);
      spending.tellCost(dollars(12));
      spending.tellCost(dollars(13));
      expect(spending.total).toMatchObject({ money: 3, unpriced: true });
      expect(spending.usage?.cost).toEqual({ ...dollars(3), estimated: true });
      expect(spending.sessionCost).toEqual(dollars(13));
    });

    test('has begun anew when it is in another currency, and is all there is when none was told before', () => {
      const other = begin({ costBefore: { amount: 1, currency: 'EUR' } }, knownBy);
      other.tellCost(dollars(12));
      expect(other.total).toMatchObject({ money: 12, unpriced: false });
      const first = begin({}, knownBy);
      first.tellCost(dollars(12));
      expect(first.total).toMatchObject({ money: 12, unpriced: false });
    });

    test('goes on from what was told while the session was being opened, whatever it was before', () => {
      const spending = unopened(after10);
      spending.tellCost(dollars(11));
      expect(spending.total.money, 'nobody has been asked anything yet').toBe(0);
      spending.tellOpened(knownBy);
      spending.tellCost(dollars(11.5));
      expect(spending.total).toMatchObject({ money: 0.5, unpriced: false });
    });

    test('is as uncertain in the next turn when it says nothing in this one', () => {
      const silent = begin(after10, knownBy);
      silent.end();
      const next = begin({ costBefore: silent.sessionCost });
      next.tellCost(dollars(12));
      expect(next.total).toMatchObject({ money: 2, unpriced: true });
      const last = begin({ costBefore: next.sessionCost });
      last.tellCost(dollars(13));
      expect(last.total).toMatchObject({ money: 1, unpriced: false });
    });
  });

  test('tells late of the turn before, where the process kept the session', () => {
    const spending = unopened(after10);
    spending.tellCost(dollars(11));
    spending.tellOpened('kept');
    expect(spending.total.money).toBe(1);
  });

  test('changes its currency in mid-turn: what it had come to is left out, and that is told', () => {
    const spending = begin();
    spending.tellCost({ amount: 5, currency: 'EUR' });
    spending.tellCost(dollars(1));
    expect(spending.total).toMatchObject({ money: 1, unpriced: true });
  });
});
