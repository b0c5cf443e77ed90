import { foldCase } from '../collation.ts';
import type { IndexValue } from '../storage.ts';

/**
 * An index value as bytes that sort as the port demands: numbers before text, numbers by size, text by code point. Bytes
 * and not text, because text of the port may hold NUL, which PostgreSQL's cannot, and a column has one type.
 */
export interface SortKey {
  /** What the index holds; at most {@link MAXIMUM_KEY} bytes, for an index row of PostgreSQL ends at 2,704. */
  key: Buffer;
  /** All of it, when the key is cut. */
  full: Buffer | null;
  /** The text without regard to case, where that differs. */
  folded: Buffer | null;
}

/** A key of this length is taken for cut. Shorter ones are whole, and sort among the cut ones as the whole ones would. */
export const MAXIMUM_KEY = 1_000;

const NUMBER = 1;
const TEXT = 2;

export function sortKeyOf(value: IndexValue): SortKey {
  const all = encode(value);
  const folded = typeof value === 'string' ? foldCase(value) : value;
  return {
    key: all.length < MAXIMUM_KEY ? all : all.subarray(0, MAXIMUM_KEY),
    full: all.length < MAXIMUM_KEY ? null : all,
    folded: typeof folded !== 'string' || folded === value ? null : Buffer.from(folded),
  };
}

function encode(value: IndexValue): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(value));
    bytes[0] = TEXT;
    bytes.write(value, 1);
    return bytes;
  }
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = NUMBER;
  bytes.writeDoubleBE(value, 1);
  // The bits of doubles sort like the numbers, except for the sign: the positive go behind, the negative turn around.
  const negative = ((bytes[1] as number) & 0x80) !== 0;
  if (negative) for (let i = 1; i < bytes.length; i++) bytes[i] = ~(bytes[i] as number);
  else bytes[1] = (bytes[1] as number) | 0x80;
  return bytes;
}

/** The value of an uncut key; undefined when it is damaged. */
export function valueOfKey(all: Buffer): IndexValue | undefined {
  if (all[0] === TEXT) return all.toString('utf8', 1);
  if (all[0] !== NUMBER || all.length !== 9) return undefined;
  const bytes = Buffer.from(all.subarray(1));
  const negative = ((bytes[0] as number) & 0x80) === 0;
  if (negative) for (let i = 0; i < bytes.length; i++) bytes[i] = ~(bytes[i] as number);
  else bytes[0] = (bytes[0] as number) & 0x7f;
  const number = bytes.readDoubleBE(0);
  return Number.isFinite(number) ? number : undefined;
}
