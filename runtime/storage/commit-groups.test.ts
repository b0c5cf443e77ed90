import { describe, expect, it } from 'vitest';
import type { CheckedOperation } from './checked-input.ts';
import { CommitGroups, type WaitingCommit } from './commit-groups.ts';

type Waiting = WaitingCommit<number>;

const LIMITS = { commits: 4, operations: 100, characters: 1_000 };

interface Sent {
  numbers: number[];
  way: 'quickly' | 'thoroughly' | 'after a miss';
  answer(carriedOut?: boolean): void;
}

/** Groups that are answered by hand; each commit is named by its number. The `rare` ones cannot go quickly, and to try that with a `bad` one throws. */
function start(limits = LIMITS, rare: number[] = [], bad: number[] = []) {
  const sent: Sent[] = [];
  let told: (() => void) | undefined;
  const send = (group: Waiting[], way: Sent['way']): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    sent.push({
      numbers: group.map(({ id }) => id.number),
      way,
      answer: (carriedOut = true) => resolve(carriedOut),
    });
    told?.();
    return promise;
  };
  const groups = new CommitGroups<Waiting>(limits, {
    quickly: (group) => {
      if (group.some(({ id }) => bad.includes(id.number))) throw new RangeError('Too long.');
      return group.some(({ id }) => rare.includes(id.number)) ? undefined : send(group, 'quickly');
    },
    thoroughly: async (group, missed) => {
      await send(group, missed ? 'after a miss' : 'thoroughly');
    },
  });
  const push = (number: number, json = '1') =>
    groups.push({
      operations: [{ kind: 'append', log: 'events', json, valueCrc: 0 } satisfies CheckedOperation],
      id: { writer: 'w', number },
      resolve: () => undefined,
      reject: () => undefined,
    });
  /** Resolves when so many groups have been sent. */
  const until = async (count: number): Promise<number[][]> => {
    while (sent.length < count) await new Promise<void>((resolve) => (told = resolve));
    return sent.map(({ numbers }) => numbers);
  };
  const answer = (group: number, carriedOut?: boolean) => (sent[group] as Sent).answer(carriedOut);
  const ways = () => sent.map(({ way }) => way);
  return { push, until, answer, ways };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('commits on their way to a server', () => {
  it('go together when they come in one turn, and those that come meanwhile go into the next group', async () => {
    const { push, until, answer } = start();
    for (const number of [1, 2, 3]) push(number);
    expect(await until(1)).toEqual([[1, 2, 3]]);
    for (const number of [4, 5]) push(number);
    answer(0);
    expect(await until(2)).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });

  it('keep their order and the limits of a group, of which two are under way at most', async () => {
    const { push, until, answer } = start();
    for (const number of numbers(1, 10)) push(number);
    expect(await until(2)).toEqual([numbers(1, 4), numbers(5, 8)]);
    answer(1);
    expect(await until(3)).toEqual([numbers(1, 4), numbers(5, 8), [9, 10]]);
  });

  it('make two groups when there are many, so that both sides have work', async () => {
    const { push, until } = start({ ...LIMITS, commits: 64 });
    for (const number of numbers(1, 20)) push(number);
    expect(await until(2)).toEqual([numbers(1, 10), numbers(11, 20)]);
  });

  it('go alone when they are larger than a group may be', async () => {
    const { push, until } = start();
    push(1);
    push(2, 'x'.repeat(2_000));
    expect(await until(2)).toEqual([[1], [2]]);
  });

  it('are sent again in their order when a group was not carried out, before any that came later', async () => {
    const { push, until, answer, ways } = start();
    for (const number of numbers(1, 9)) push(number);
    await until(2);
    // The second cannot have been carried out either.
    answer(1, false);
    answer(0, false);
    expect((await until(3))[2]).toEqual([1, 2, 3, 4]);
    answer(2);
    expect((await until(4))[3]).toEqual([5, 6, 7, 8]);
    answer(3);
    expect((await until(5))[4]).toEqual([9]);
    expect(ways()).toEqual(['quickly', 'quickly', 'after a miss', 'after a miss', 'quickly']);
  });

  it('do not overtake a group that cannot go quickly', async () => {
    const { push, until, answer, ways } = start(LIMITS, [1]);
    for (const number of numbers(1, 8)) push(number);
    expect(await until(1)).toEqual([[1, 2, 3, 4]]);
    answer(0);
    expect(await until(2)).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    expect(ways()).toEqual(['thoroughly', 'thoroughly']);
  });

  it('wait for all before them when they cannot go quickly', async () => {
    const { push, until, answer, ways } = start(LIMITS, [5]);
    for (const number of numbers(1, 5)) push(number);
    await until(1);
    answer(0);
    expect(await until(2)).toEqual([[1, 2, 3, 4], [5]]);
    expect(ways()).toEqual(['quickly', 'thoroughly']);
  });

  it('go the other way when it throws to try the quick one, and hold nobody up', async () => {
    const { push, until, answer, ways } = start(LIMITS, [], [1]);
    push(1);
    expect(await until(1)).toEqual([[1]]);
    answer(0);
    push(2);
    expect(await until(2)).toEqual([[1], [2]]);
    expect(ways()).toEqual(['after a miss', 'quickly']);
    answer(1);
  });
});
