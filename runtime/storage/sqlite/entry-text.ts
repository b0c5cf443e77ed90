import { crc32 } from 'node:zlib';
import { fault } from '../../contract/error-codes.ts';
import { continuedChecksum } from '../checksum.ts';
import { ENTRY_SEQUENCE } from './migrations.ts';
import { SEAL_LENGTH, sealFor } from './seal.ts';

/*
 * An entry is read as one text: its sequence, which is that of its key, then its record, which is its time, its value and a
 * seal. That takes half as long as reading them in columns.
 *
 * The seal brings the CRC-32 of the text back to where it began, which is the sum of the log's name. So a page of entries, one
 * behind the other, is whole when the sum over all of them is what it was before, and that is one call of zlib for the page
 * instead of one for each entry. It is as strict: behind a damaged entry the sum is another one, and since each step of a
 * CRC can be undone, whole entries that follow leave it another one. Only where two or more are damaged they hide each other,
 * once in 2^32. Which one is damaged is seen by looking at each alone.
 */

/** SQL for the text of an entry. */
export const ENTRY_TEXT = `(${ENTRY_SEQUENCE} || record)`;

/** Characters of texts that are summed at a time: they are copied into one text for it. */
const SUMMED_AT_A_TIME = 64 * 1024;

/** The sum with which the entries of a log begin and end. */
export const entrySeed = (log: string): number => crc32(`entry\n${log}\n`);

/**
 * What the row of an entry holds behind its key. Throws `storage.failed` when the time is not whole milliseconds: sealed, it
 * would be acknowledged and never read again.
 */
export function entryRecord(seed: number, sequence: number, at: number, json: string): string {
  if (!Number.isSafeInteger(at)) throw fault('storage.failed', `The clock says ${at}, which is no time.`);
  const record = ` ${at} ${json}`;
  return record + sealFor(crc32(record, continuedChecksum(seed, `${sequence}`)), seed);
}

/** True when each of the texts is one that was written to this log, in this place. An empty text would be, too. */
export function areWhole(seed: number, texts: readonly unknown[]): texts is string[] {
  let summed = '';
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i];
    if (typeof text !== 'string') return false;
    summed += text;
    if (summed.length >= SUMMED_AT_A_TIME) {
      if (crc32(summed, seed) !== seed) return false;
      summed = '';
    }
  }
  return crc32(summed, seed) === seed;
}

/** What an entry says of itself. */
export interface EntryParts {
  sequence: number;
  at: number;
  json: string;
}

/** The parts of a whole text; undefined when it has none. */
export function entryOf(text: string): EntryParts | undefined {
  const first = text.indexOf(' ');
  const second = text.indexOf(' ', first + 1);
  const end = text.length - SEAL_LENGTH;
  if (first < 0 || second < 0 || second >= end) return undefined;
  const sequence = wholeNumber(text, 0, first);
  const at =
    text.charCodeAt(first + 1) === DASH
      ? -wholeNumber(text, first + 2, second)
      : wholeNumber(text, first + 1, second);
  if (Number.isNaN(sequence) || Number.isNaN(at)) return undefined;
  return { sequence, at, json: text.slice(second + 1, end) };
}

/** The parts of a text; undefined when it is damaged, or of another log. */
export function entryIfWhole(seed: number, text: unknown): EntryParts | undefined {
  return typeof text === 'string' && crc32(text, seed) === seed ? entryOf(text) : undefined;
}

/**
 * {@link entryIfWhole} with its value; undefined also when what it holds is no JSON, which a sound sum does not rule out: whole
 * texts that stand one behind the other in one row have it, too.
 */
export function entryWithValue(
  seed: number,
  text: unknown,
): { sequence: number; at: number; value: unknown } | undefined {
  const entry = entryIfWhole(seed, text);
  if (entry === undefined) return undefined;
  try {
    return { sequence: entry.sequence, at: entry.at, value: JSON.parse(entry.json) };
  } catch {
    return undefined;
  }
}

const DASH = 0x2d;
const ZERO = 0x30;
/** Digits of which a number fits into 31 bits. */
const SHORT = 9;
const LAST_DIGITS = 8;

/** NaN when something else than digits is there. */
function wholeNumber(text: string, from: number, to: number): number {
  if (to - from <= SHORT) return shortNumber(text, from, to);
  const middle = to - LAST_DIGITS;
  return shortNumber(text, from, middle) * 10 ** LAST_DIGITS + shortNumber(text, middle, to);
}

/** In integers, which are added up in half the time. */
function shortNumber(text: string, from: number, to: number): number {
  if (to <= from || to - from > SHORT) return Number.NaN;
  let number = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = (number * 10 + digit) | 0;
  }
  return number;
}
