import { crc32 } from 'node:zlib';
import { continuedChecksum, numbersChecksumsOf } from '../checksum.ts';

/*
 * The records as they lie in Redis. Each carries CRC-32s that cover its identity and its content; what only the server knows
 * when it writes (a version, a sequence) comes last, so that a script can go on with the sum over those few digits.
 */

/** 32 bits as eight digits. `toString(16)` takes six times as long, and there are seven of these in a commit. */
export const hex = (bits: number): string =>
  (TWO_DIGITS[bits >>> 24] as string) +
  (THREE_DIGITS[(bits >>> 12) & 0xfff] as string) +
  (THREE_DIGITS[bits & 0xfff] as string);

const TWO_DIGITS = Array.from({ length: 0x100 }, (_, n) => n.toString(16).padStart(2, '0'));
const THREE_DIGITS = Array.from({ length: 0x1000 }, (_, n) => n.toString(16).padStart(3, '0'));

/** What the client knows of a document's head. */
export interface HeadParts {
  prefixCrc: number;
  valueCrc: string;
  /** As `fieldsText` writes them. */
  fields: string;
  expiry: string;
}

export function headParts(
  collection: string,
  id: string,
  valueCrc: number,
  fields: string,
  expiresAt: number | null,
): HeadParts {
  const value = hex(valueCrc);
  return {
    prefixCrc: crc32(`document\n${collection}\n${id}\n${value}\n${fields}\n`),
    valueCrc: value,
    fields,
    expiry: expiresAt === null ? '-' : String(expiresAt),
  };
}

export function headText({ prefixCrc, valueCrc, fields, expiry }: HeadParts, version: number): string {
  const tail = `${version} ${expiry}`;
  return `${hex(continuedChecksum(prefixCrc, tail))} ${hex(prefixCrc)} ${valueCrc} ${tail}\n${fields}`;
}

export const headPrefix = ({ prefixCrc }: HeadParts): string => hex(prefixCrc);

export interface Head {
  version: number;
  expiresAt: number | null;
  valueCrc: number;
  /** As `fieldsText` writes them. */
  fields: string;
}

const HEAD = /^([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) (\d+) (-|-?\d+)\n(.*)$/s;

/** Undefined when it is damaged. */
export function parseHead(collection: string, id: string, text: string): Head | undefined {
  const [, sum, prefix, value, version, expiry, fields] = HEAD.exec(text) ?? [];
  if (sum === undefined || value === undefined || fields === undefined) return undefined;
  const whole = crc32(`document\n${collection}\n${id}\n${value}\n${fields}\n`);
  if (hex(whole) !== prefix || hex(crc32(`${version} ${expiry}`, whole)) !== sum) return undefined;
  return {
    version: Number(version),
    expiresAt: expiry === '-' ? null : Number(expiry),
    valueCrc: Number.parseInt(value, 16),
    fields,
  };
}

const logSeed = (log: string): number => crc32(`log\n${log}\n`);

export const logPrefix = (log: string): string => hex(logSeed(log));

/** What the script goes on from that gives an entry its number. */
export function entryPrefix(log: string, at: number, valueCrc: number): string {
  return hex(crc32(`${at}\n${valueCrc}\n`, logSeed(log)));
}

/** What {@link entryText} makes its sum by; to be kept for the entries of one log. */
export type LogSum = (at: number, valueCrc: number, sequence: number) => number;

export const logSumOf = (log: string): LogSum => numbersChecksumsOf(`log\n${log}\n`);

/** The element of a log that holds an entry. */
export function entryText(
  sequence: number,
  at: number,
  json: string,
  sum: LogSum,
  valueCrc = crc32(json),
): string {
  return `${sequence} ${at} ${hex(sum(at, valueCrc, sequence))} ${valueCrc} ${json}`;
}

/** The element of a log that holds nothing but a number that is used up. */
export function goneText(log: string, sequence: number): string {
  return `${sequence} - ${hex(crc32(`-\n-\n${sequence}`, logSeed(log)))} - `;
}

/** What an element of a log says of itself. */
export interface LogElement {
  sequence: number;
  at: number;
  /** Undefined for one that is gone. */
  json: string | undefined;
}

const DASH = 0x2d;
const SPACE = 0x20;
const ZERO = 0x30;

/**
 * Takes the elements of a log apart. Answers only its number for one whose value is damaged, and undefined for one of which
 * nothing can be told. What all of them have in common is summed once.
 */
export function elementsOf(log: string): (element: string) => LogElement | number | undefined {
  const sum = logSumOf(log);
  return (element) => {
    const first = element.indexOf(' ');
    const second = element.indexOf(' ', first + 1);
    const third = element.indexOf(' ', second + 10);
    if (first < 1 || second < 0 || third < 0 || element.charCodeAt(second + 9) !== SPACE) return undefined;
    const sequence = wholeNumber(element, 0, first);
    const stated = hexNumber(element, second + 1);
    if (second === first + 2 && element.charCodeAt(first + 1) === DASH) {
      const isGone = stated === crc32(`-\n-\n${sequence}`, logSeed(log)) && element.endsWith(' - ');
      return isGone && third === element.length - 1 ? { sequence, at: 0, json: undefined } : undefined;
    }
    const at =
      element.charCodeAt(first + 1) === DASH
        ? -wholeNumber(element, first + 2, second)
        : wholeNumber(element, first + 1, second);
    const valueCrc = wholeNumber(element, second + 10, third);
    if (sum(at, valueCrc, sequence) !== stated) return undefined;
    const json = element.slice(third + 1);
    return crc32(json) === valueCrc ? { sequence, at, json } : sequence;
  };
}

/** NaN when something else than digits is there. */
function wholeNumber(text: string, from: number, to: number): number {
  if (from === to) return Number.NaN;
  let number = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = 10 * number + digit;
  }
  return number;
}

/** Eight lower-case digits; NaN when something else is there. */
function hexNumber(text: string, from: number): number {
  let number = 0;
  for (let i = from; i < from + 8; i++) {
    const code = text.charCodeAt(i);
    const digit = code >= 0x61 ? code - 0x57 : code - ZERO;
    if (!(digit >= 0 && digit <= 15) || (code > 0x39 && code < 0x61)) return Number.NaN;
    number = 16 * number + digit;
  }
  return number;
}

const TRIMMED = /^([0-9a-f]{8}) (\d+)$/;

/** Through which number a log was trimmed; undefined when that is damaged. */
export function parseTrimmed(log: string, text: string): number | undefined {
  const [, sum, through] = TRIMMED.exec(text) ?? [];
  if (through === undefined || hex(crc32(through, logSeed(log))) !== sum) return undefined;
  return Number(through);
}

const COUNTER = /^([0-9a-f]{8}) (\d+) (\d+)$/;

/** The last number of a log as a snapshot has it, and through which it was trimmed. Undefined when it is damaged. */
export function parseCounter(log: string, text: string): { last: number; through: number } | undefined {
  const [, sum, last, through] = COUNTER.exec(text) ?? [];
  if (sum === undefined || hex(crc32(`${last} ${through}`, logSeed(log))) !== sum) return undefined;
  return { last: Number(last), through: Number(through) };
}

const writerSeed = (writer: string): number => crc32(`commit\n${writer}\n`);

/** What the script goes on from that remembers a commit. */
export const rememberedPrefix = (writer: string): string => hex(writerSeed(writer));

/** Makes what is remembered of the commits of a writer; `numbers` are those of the operations, with commas. */
export function rememberedBy(writer: string): (number: number, numbers: string) => string {
  const seed = writerSeed(writer);
  return (number, numbers) => `${number} ${hex(continuedChecksum(seed, `${number} ${numbers}`))} ${numbers}`;
}

/** What is kept of a generation beside its data. */
export interface GenerationRecord {
  createdAt: number;
  reason: string;
  state: 'building' | 'sealed' | 'dropped';
  /** Which was made before which, when the clock stood still. */
  order: number;
  previous?: string;
  activatedAt?: number;
}

export function generationText(id: string, record: GenerationRecord): string {
  const json = JSON.stringify(record);
  return `${hex(crc32(`generation\n${id}\n${json}`))} ${json}`;
}

/** Undefined when it is damaged. */
export function parseGeneration(id: string, text: string): GenerationRecord | undefined {
  const json = text.slice(9);
  if (hex(crc32(`generation\n${id}\n${json}`)) !== text.slice(0, 8)) return undefined;
  return JSON.parse(json) as GenerationRecord;
}
