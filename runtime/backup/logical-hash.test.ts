import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SnapshotRecord } from '../storage/storage.ts';
import { canonicalLine } from './archive-format.ts';
import { LogicalHash } from './logical-hash.ts';

const index = fc.dictionary(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
  fc.oneof(fc.string(), fc.integer()),
);
const record: fc.Arbitrary<SnapshotRecord> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('document' as const),
      collection: fc.stringMatching(/^[a-z_]{1,8}$/).filter((name) => name !== 'jobs'),
      id: fc.string({ minLength: 1 }),
      version: fc.integer({ min: 1, max: 9 }),
      json: fc.json(),
      index,
      expiresAt: fc.integer({ min: 1 }),
    },
    { requiredKeys: ['kind', 'collection', 'id', 'version', 'json', 'index'] },
  ),
  fc.record({ kind: fc.constant('log' as const), log: fc.string(), lastSequence: fc.nat() }),
  fc.record({
    kind: fc.constant('entry' as const),
    log: fc.string(),
    sequence: fc.nat(),
    at: fc.nat(),
    json: fc.json(),
  }),
);
const records = fc.array(record, { maxLength: 30 });

function hashOf(all: SnapshotRecord[], expiringBefore?: number): string {
  const hash = new LogicalHash(expiringBefore);
  for (const one of all) hash.add(one);
  return hash.digest();
}

/** The same record with the fields, and those of its index, in the opposite order. */
function reversed(one: SnapshotRecord): SnapshotRecord {
  const turn = <T extends object>(object: T) => Object.fromEntries(Object.entries(object).reverse()) as T;
  return turn(one.kind === 'document' ? { ...one, index: turn(one.index) } : one);
}

describe('the logical hash', () => {
  it('does not depend on the order in which an adapter puts fields, nor on a field that is undefined', () => {
    fc.assert(
      fc.property(records, (all) => {
        const others = all.map(reversed).map((one) => {
          return one.kind === 'document' && !('expiresAt' in one)
            ? { ...one, expiresAt: undefined as never }
            : one;
        });
        expect(hashOf(others)).toBe(hashOf(all));
      }),
    );
  });

  it('changes with the order of the records', () => {
    fc.assert(
      fc.property(records, fc.nat(), (all, at) => {
        const place = at % Math.max(1, all.length - 1);
        const [a, b] = [all[place], all[place + 1]];
        fc.pre(a !== undefined && b !== undefined && canonicalLine(a) !== canonicalLine(b));
        const swapped = [...all];
        swapped[place] = b as SnapshotRecord;
        swapped[place + 1] = a as SnapshotRecord;
        expect(hashOf(swapped)).not.toBe(hashOf(all));
      }),
    );
  });

  it('changes with every record more, less or other', () => {
    fc.assert(
      fc.property(records, record, fc.nat(), (all, other, at) => {
        const place = at % (all.length + 1);
        expect(hashOf(all.toSpliced(place, 0, other))).not.toBe(hashOf(all));
        const there = all[place];
        if (there === undefined) return;
        expect(hashOf(all.toSpliced(place, 1))).not.toBe(hashOf(all));
        fc.pre(canonicalLine(there) !== canonicalLine(other));
        expect(hashOf(all.with(place, other))).not.toBe(hashOf(all));
      }),
    );
  });

  it('changes with each field of a record', () => {
    const document = {
      kind: 'document',
      collection: 'sessions',
      id: 'a',
      version: 1,
      json: '{"a":1}',
      index: { x: 1 },
      expiresAt: 5,
    } as const;
    const entry = { kind: 'entry', log: 'messages/a', sequence: 1, at: 2, json: '1' } as const;
    const log = { kind: 'log', log: 'messages/a', lastSequence: 1 } as const;
    const variants: SnapshotRecord[] = [
      document,
      { ...document, collection: 'agents' },
      { ...document, id: 'b' },
      { ...document, version: 2 },
      { ...document, json: '{"a": 1}' },
      { ...document, index: { x: '1' } },
      { ...document, index: { x: 1, y: 1 } },
      { ...document, expiresAt: 6 },
      entry,
      { ...entry, log: 'messages/b' },
      { ...entry, sequence: 2 },
      { ...entry, at: 3 },
      { ...entry, json: '2' },
      log,
      { ...log, log: 'messages/b' },
      { ...log, lastSequence: 2 },
    ];
    expect(new Set(variants.map((one) => hashOf([one]))).size).toBe(variants.length);
  });

  it('leaves out jobs, and what expires too soon to be there when it is read back', () => {
    const one = (collection: string, expiresAt?: number): SnapshotRecord => ({
      kind: 'document',
      collection,
      id: 'a',
      version: 1,
      json: '1',
      index: {},
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
    const kept = [one('agents'), one('tokens', 1000)];
    expect(hashOf([one('agents'), one('jobs'), one('tokens', 1000)])).toBe(hashOf(kept));
    expect(hashOf([one('agents'), one('secrets', 999), one('tokens', 1000)], 1000)).toBe(hashOf(kept, 1000));
    expect(hashOf([one('agents'), one('secrets', 999), one('tokens', 1000)])).not.toBe(hashOf(kept));
  });
});
