import { fieldsFromText } from '../checked-input.ts';
import type { Filter, IndexValue } from '../storage.ts';
import { hex } from './record-text.ts';

/**
 * Index values as text whose bytes sort as the values do: numbers before text, numbers by size, text by code point. A
 * member of the index of a field is such a value, NUL, and the id; NUL in text is written so that it sorts as it did.
 */
export function encodeIndexValue(value: IndexValue): string {
  if (typeof value === 'number') return `n${sortableNumber(value)}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these two are what must be escaped.
  return `t${value.replace(/[\0\x01]/g, (character) => (character === '\0' ? '\x01\x01' : '\x01\x02'))}`;
}

export function decodeIndexValue(text: string): IndexValue {
  if (text.startsWith('n')) return numberOf(text.slice(1));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what was escaped.
  return text.slice(1).replace(/\x01([\x01\x02])/g, (_, mark: string) => (mark === '\x01' ? '\0' : '\x01'));
}

const bits = new DataView(new ArrayBuffer(8));

/** The bits of a double as 16 hex digits; those of negative ones turned round, so that they sort by size. */
function sortableNumber(value: number): string {
  bits.setFloat64(0, value);
  const high = bits.getInt32(0);
  const low = bits.getInt32(4);
  return value < 0 ? hex(~high) + hex(~low) : hex(high | SIGN) + hex(low);
}

function numberOf(text: string): number {
  const high = Number.parseInt(text.slice(0, 8), 16) | 0;
  const low = Number.parseInt(text.slice(8), 16) | 0;
  const positive = (high & SIGN) !== 0;
  bits.setInt32(0, positive ? high & ~SIGN : ~high);
  bits.setInt32(4, positive ? low : ~low);
  return bits.getFloat64(0);
}

const SIGN = 0x80000000 | 0;

/** An index field of a document, with its value as the index has it. */
export interface EncodedField {
  readonly name: string;
  readonly value: IndexValue;
  readonly encoded: string;
}

/** The index fields of a checked put. */
export function encodedFields(checked: string): EncodedField[] {
  const values = fieldsFromText(checked);
  return Object.keys(values).map((name) => encodedField(name, values[name] as IndexValue));
}

/**
 * The same for a document whose fields were `before`; undefined when these do not have the same names. Those that have
 * kept their values are the same objects.
 */
export function changedFields(before: readonly EncodedField[], checked: string): EncodedField[] | undefined {
  const values = fieldsFromText(checked);
  const names = Object.keys(values);
  if (names.length !== before.length) return undefined;
  const after: EncodedField[] = [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const former = before[i] as EncodedField;
    if (former.name !== name) return undefined;
    const value = values[name] as IndexValue;
    after.push(value === former.value ? former : encodedField(name, value));
  }
  return after;
}

function encodedField(name: string, value: IndexValue): EncodedField {
  return { name, value, encoded: encodeIndexValue(value) };
}

/** Index fields as the head of a document has them: name, NUL, value, NUL of each. */
export function fieldsText(fields: readonly EncodedField[]): string {
  let text = '';
  for (const { name, encoded } of fields) text += `${name}\0${encoded}\0`;
  return text;
}

export function decodeFields(text: string): Record<string, IndexValue> {
  const parts = text.split('\0');
  const entries: [string, IndexValue][] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    entries.push([parts[i] as string, decodeIndexValue(parts[i + 1] as string)]);
  }
  return Object.fromEntries(entries);
}

/** A range of the members of a sorted set, as ZRANGEBYLEX takes it. */
export interface LexRange {
  least: string;
  most: string;
}

/** Where the documents that pass a filter stand in the index of its field; undefined when they are not together. */
export function rangesOf(filter: Filter): LexRange[] | undefined {
  const only = (value: IndexValue) => {
    const text = encodeIndexValue(value);
    return { least: `[${text}\0`, most: `(${text}\x01` };
  };
  if ('is' in filter) return [only(filter.is)];
  if ('in' in filter) return [...new Set(filter.in)].map(only);
  if ('from' in filter) {
    const least = `[${encodeIndexValue(filter.from)}\0`;
    return [{ least, most: filter.below === undefined ? '+' : `(${encodeIndexValue(filter.below)}\0` }];
  }
  return undefined;
}
