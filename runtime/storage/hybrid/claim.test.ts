import { describe, expect, it } from 'vitest';
import type { CheckedOperation } from '../checked-input.ts';
import { valueChecksum } from '../checksum.ts';
import { faultSeed, seededRandom } from '../faults/seeded-random.ts';
import { Claim } from './claim.ts';
import { documentOf, entriesOf, headerOf } from './copy-text.ts';

const LOG = 'messages/a';

function claimOf(object: string, found: string): Claim {
  const claim = new Claim(object, 7, 'key');
  claim.granted(found);
  return claim;
}

const append = (value: unknown): CheckedOperation => {
  const json = JSON.stringify(value);
  return { kind: 'append', log: LOG, json, valueCrc: valueChecksum(json) };
};
const put = (value: unknown): CheckedOperation => {
  const json = JSON.stringify(value);
  return {
    ...{ kind: 'put', collection: 'sessions', id: 'a', json, valueCrc: valueChecksum(json) },
    ...{ fields: '', expectVersion: undefined, expiresAt: null },
  };
};

/** Commits that are all under way at once and are answered in the order of their results. */
function together(claim: Claim, operations: [CheckedOperation, number][]): void {
  for (const _ of operations) claim.begin(0);
  for (const [operation, number] of operations) {
    claim.carriedOut(operation, { version: number, sequence: number }, 1_000);
    claim.settled();
  }
}

function actionsOf(claim: Claim): (string | number)[] {
  const args: (string | number)[] = [];
  claim.takeActions(args);
  return args;
}

describe('the claim of a log', () => {
  const sequencesIn = (texts: (string | number)[], first: number) =>
    entriesOf(LOG, first, texts as string[])?.map(({ sequence, value }) => [sequence, value]);

  it('begins a copy with the first entry of all', () => {
    const claim = claimOf(`l:${LOG}`, '');
    expect(claim.isReadable).toBe(false);
    together(claim, [[append('one'), 1]]);
    expect(claim.isReadable).toBe(true);
    const [action, object, number, header, count, ...texts] = actionsOf(claim);
    expect([action, object, number, count]).toEqual(['log', `l:${LOG}`, 7, 1]);
    expect(headerOf(String(header))).toEqual({ from: 1, first: 1 });
    expect(sequencesIn(texts, 1)).toEqual([[1, 'one']]);
  });

  it('adds to a copy, and says how long it is then', () => {
    const claim = claimOf(`l:${LOG}`, '3 5 2');
    together(claim, [
      [append('seven'), 7],
      [append('eight'), 8],
    ]);
    const [action, , , length, count, ...texts] = actionsOf(claim);
    expect([action, length, count]).toEqual(['add', 5, 2]);
    expect(sequencesIn(texts, 7)).toEqual([
      [7, 'seven'],
      [8, 'eight'],
    ]);
    together(claim, [[append('nine'), 9]]);
    expect(actionsOf(claim).slice(0, 5)).toEqual(['add', `l:${LOG}`, 7, 6, 1]);
  });

  it('puts in order what is answered in another one', () => {
    const claim = claimOf(`l:${LOG}`, '1 1 1');
    together(claim, [
      [append('three'), 3],
      [append('four'), 4],
      [append('two'), 2],
    ]);
    expect(sequencesIn(actionsOf(claim).slice(5), 2)).toEqual([
      [2, 'two'],
      [3, 'three'],
      [4, 'four'],
    ]);
  });

  it('puts in order whatever is answered in whichever', () => {
    const seed = faultSeed();
    const random = seededRandom(seed);
    const claim = claimOf(`l:${LOG}`, '1 1 1');
    const told: unknown[] = [];
    for (let next = 2; next < 200; ) {
      const count = 1 + Math.floor(random() * 12);
      const sequences = Array.from({ length: count }, (_, i) => ({ sequence: next + i, place: random() }));
      sequences.sort((a, b) => a.place - b.place);
      together(
        claim,
        sequences.map(({ sequence }) => [append(sequence), sequence]),
      );
      expect(claim.isReadable, `FAULT_SEED=${seed}`).toBe(true);
      told.push(...(sequencesIn(actionsOf(claim).slice(5), next) ?? []));
      next += count;
    }
    expect(told).toEqual(told.map((_, i) => [i + 2, i + 2]));
  });

  it.each<[string, string, number[]]>([
    ['an entry of somebody else stands between', '1 1 1', [2, 4]],
    ['an entry comes again', '1 1 1', [2, 2]],
    ['an empty log does not go on where it is known from', '1 0 0', [3]],
  ])('drops the copy when %s', (_, found, sequences) => {
    const claim = claimOf(`l:${LOG}`, found);
    together(
      claim,
      sequences.map((sequence) => [append(sequence), sequence]),
    );
    expect(claim.isReadable).toBe(false);
    expect(actionsOf(claim)).toEqual(['drop', `l:${LOG}`, 7]);
  });

  it('makes no copy of the end of a log', () => {
    const claim = claimOf(`l:${LOG}`, '');
    together(claim, [
      [append('two'), 2],
      [append('one'), 1],
    ]);
    expect(claim.isReadable).toBe(false);
    expect(actionsOf(claim)).toEqual([]);
  });

  it('drops the copy with a trim', () => {
    const claim = claimOf(`l:${LOG}`, '1 1 1');
    together(claim, [[{ kind: 'trim', log: LOG, through: 1 }, 0]]);
    expect(actionsOf(claim)).toEqual(['drop', `l:${LOG}`, 7]);
  });
});

describe('the claim of a document', () => {
  const object = 'd:sessions/a';
  const sentBy = (claim: Claim) => {
    const [action, , , text] = actionsOf(claim);
    return [action, documentOf('sessions', 'a', String(text))?.value];
  };

  it('sends what was written last', () => {
    const claim = claimOf(object, '');
    together(claim, [
      [put('one'), 4],
      [put('two'), 5],
    ]);
    expect(sentBy(claim)).toEqual(['new', 'two']);
    together(claim, [[put('three'), 6]]);
    expect(sentBy(claim)).toEqual(['set', 'three']);
  });

  it('does not guess which one was last', () => {
    const claim = claimOf(object, '1');
    together(claim, [
      [put('two'), 5],
      [put('one'), 4],
    ]);
    expect(claim.isReadable).toBe(false);
    expect(actionsOf(claim)).toEqual(['drop', object, 7]);
  });

  it('follows a document that begins anew because it had expired', () => {
    const claim = claimOf(object, '1');
    together(claim, [[put('old'), 5]]);
    together(claim, [[put('new'), 1]]);
    expect(sentBy(claim)).toEqual(['set', 'new']);
  });

  it('drops the copy with the document', () => {
    const claim = claimOf(object, '1');
    const { collection, id } = { collection: 'sessions', id: 'a' };
    together(claim, [[{ kind: 'delete', collection, id, expectVersion: undefined }, 0]]);
    expect(actionsOf(claim)).toEqual(['drop', object, 7]);
  });

  it('is given up only when no commit is under way', () => {
    const claim = claimOf(object, '1');
    claim.begin(0);
    claim.ending = true;
    expect(actionsOf(claim)).toEqual([]);
    expect(claim.settled()).toBe(true);
    expect(actionsOf(claim)).toEqual(['end', object, 7]);
  });

  it('has no copy to read while a commit is under way, and none that another claim has taken away', () => {
    const claim = claimOf(object, '1');
    expect(claim.isReadable).toBe(true);
    claim.begin(0);
    expect(claim.isReadable).toBe(false);
    claim.settled();
    expect(claimOf(object, 'shared').isReadable).toBe(false);
    claim.forget();
    expect(claim.isReadable).toBe(false);
  });
});
