import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldsToText } from '../checked-input.ts';
import { compareIndexValues } from '../collation.ts';
import { matches } from '../filters.ts';
import type { Filter, IndexValue } from '../storage.ts';
import {
  changedFields,
  decodeFields,
  decodeIndexValue,
  encodedFields,
  encodeIndexValue,
  fieldsText,
  rangesOf,
} from './index-text.ts';

const value: fc.Arbitrary<IndexValue> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
  fc.integer(),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.string({ unit: fc.constantFrom('\0', '\x01', '\x02', 'a', '😀', '\uffff'), maxLength: 5 }),
);
const memberOf = (of: IndexValue, id: string) => Buffer.from(`${encodeIndexValue(of)}\0${id}`);

describe('index values as text', () => {
  it('sort by their bytes as they sort by value, and then by id', () => {
    fc.assert(
      fc.property(value, value, (one, two) => {
        const order = Math.sign(compareIndexValues(one, two)) || -1;
        expect(Math.sign(Buffer.compare(memberOf(one, 'a'), memberOf(two, 'b')))).toBe(order);
      }),
    );
  });

  it('come back as they were', () => {
    fc.assert(
      fc.property(value, (one) => {
        expect(decodeIndexValue(encodeIndexValue(one))).toBe(one);
        const fields = { __proto__: one, rank: 1, title: one };
        expect(decodeFields(fieldsText(encodedFields(fieldsToText(fields))))).toEqual({
          rank: 1,
          title: one,
        });
      }),
    );
  });

  it('are the same when worked out from those before as by themselves', () => {
    const names = fc.dictionary(fc.constantFrom('__proto__', 'a', 'b', 'c'), value, {
      noNullPrototype: false,
    });
    fc.assert(
      fc.property(names, names, (one, two) => {
        const before = encodedFields(fieldsToText(one));
        const alone = encodedFields(fieldsToText(two));
        const after = changedFields(before, fieldsToText(two));
        const isAlike = Object.keys(one).sort().join() === Object.keys(two).sort().join();
        expect(after).toEqual(isAlike ? alone : undefined);
        for (const [i, field] of (after ?? []).entries()) {
          expect(field === before[i]).toBe(field.value === before[i]?.value);
        }
      }),
    );
  });

  it('are in the ranges of exactly the filters that they pass', () => {
    const filter: fc.Arbitrary<Filter> = fc.oneof(
      fc.record({ field: fc.constant('f'), is: value }),
      fc.record({ field: fc.constant('f'), in: fc.array(value, { maxLength: 3 }) }),
      fc.record({ field: fc.constant('f'), from: value }),
      fc.record({ field: fc.constant('f'), from: value, below: value }),
    );
    const beyond = (bound: string, member: Buffer) => Buffer.compare(member, Buffer.from(bound.slice(1)));
    fc.assert(
      fc.property(filter, value, (asked, one) => {
        const member = memberOf(one, 'id');
        const within = (rangesOf(asked) ?? []).some(
          ({ least, most }) => beyond(least, member) >= 0 && (most === '+' || beyond(most, member) < 0),
        );
        expect(within).toBe(matches(asked, one));
      }),
    );
  });

  it('have no range for what can be anywhere', () => {
    expect(rangesOf({ field: 'f', isNot: 1 })).toBeUndefined();
    expect(rangesOf({ field: 'f', contains: 'a' })).toBeUndefined();
  });
});
