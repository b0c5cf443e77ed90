import { crc32 } from 'node:zlib';
import { numbersChecksumsOf } from '../checksum.ts';
import { encodeFields } from './index-text.ts';

/**
 * The records as they lie in Redis. Each carries CRC-32s that cover its identity and its content; what only the server knows
 * when it writes (a version, a sequence) comes last, so that a script can go on with the sum over those few digits.
 */
const hex = (crc: number): string => crc.toString(16).padStart(8, '0');

/** What the client knows of a document's head. */
export interface HeadParts {
  prefix: string;
  valueCrc: string;
  fields: string;
  expiry: string;
}

export function headParts(
  collection: string,
  id: string,
  valueCrc: number,
  checkedFields: string,
  expiresAt: number | null,
): HeadParts {
  const fields = encodeFields(checkedFields);
  const value = hex(valueCrc);
  return {
    prefix: hex(crc32(`document\n${collection}\n${id}\n${value}\n${fields}\n`)),
    valueCrc: value,
    fields,
    expiry: expiresAt === null ? '-' : String(expiresAt),
  };
}

export function headText({ prefix, valueCrc, fields, expiry }: HeadParts, version: number): string {
  const tail = `${version} ${expiry}`;
  return `${hex(crc32(tail, Number.parseInt(prefix, 16)))} ${prefix} ${valueCrc} ${tail}\n${fields}`;
}

export interface Head {
  version: number;
  expiresAt: number | null;
  valueCrc: number;
  /** As {@link encodeFields} writes them. */
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

export function entryPrefix(log: string, at: number, valueCrc: number): string {
  return hex(crc32(`entry\n${log}\n${at}\n${valueCrc}\n`));
}

export function entryText(
  log: string,
  sequence: number,
  at: number,
  json: string,
  valueCrc = crc32(json),
): string {
  return `${at} ${hex(crc32(`entry\n${log}\n${at}\n${valueCrc}\n${sequence}`))} ${json}`;
}

export interface Entry {
  sequence: number;
  at: number;
  json: string;
}

const SPACE = 0x20;
const DASH = 0x2d;
const ZERO = 0x30;

/**
 * Takes the entries of a log apart, of which `id` is that of the stream: the sequence, a dash, 0. Undefined for one that is
 * damaged. What all of them have in common is summed once.
 */
export function entriesOf(log: string): (id: Buffer, record: Buffer) => Entry | undefined {
  const checksum = numbersChecksumsOf(`entry\n${log}\n`);
  return (id, record) => {
    const end = id.length - 2;
    const first = record.indexOf(SPACE);
    const second = first + 9;
    if (first < 1 || record[second] !== SPACE || id[end] !== DASH || id[end + 1] !== ZERO) return undefined;
    const at = wholeNumber(record, 0, first);
    const sequence = wholeNumber(id, 0, end);
    const valueCrc = crc32(record.subarray(second + 1));
    if (checksum(at, valueCrc, sequence) !== hexNumber(record, first + 1)) return undefined;
    return { sequence, at, json: record.toString('utf8', second + 1) };
  };
}

/** The sequence in the id of the stream. */
export function sequenceOf(id: Buffer): number {
  return wholeNumber(id, 0, id.indexOf(DASH));
}

/** NaN when something else than digits is there. */
function wholeNumber(bytes: Buffer, from: number, to: number): number {
  let number = 0;
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = 10 * number + digit;
  }
  return number;
}

/** Eight lower-case digits; NaN when something else is there. */
function hexNumber(bytes: Buffer, from: number): number {
  let number = 0;
  for (let i = from; i < from + 8; i++) {
    const byte = bytes[i] as number;
    const digit = byte >= 0x61 ? byte - 0x57 : byte - ZERO;
    if (!(digit >= 0 && digit <= 15) || (byte > 0x39 && byte < 0x61)) return Number.NaN;
    number = 16 * number + digit;
  }
  return number;
}

export const parseEntry = (log: string, id: string, text: string): Entry | undefined =>
  entriesOf(log)(Buffer.from(id), Buffer.from(text));

export const logPrefix = (log: string): string => hex(crc32(`log\n${log}\n`));

/** `bytes` are those of its entries, and need not be right. */
export function counterText(log: string, lastSequence: number, through = 0, bytes = 0): string {
  const numbers = `${lastSequence} ${through}`;
  return `${hex(crc32(`log\n${log}\n${numbers}`))} ${numbers} ${bytes}`;
}

const COUNTER = /^([0-9a-f]{8}) (\d+) (\d+) (\d+)$/;

/** Undefined when it is damaged. */
export function parseCounter(
  log: string,
  text: string,
): { last: number; through: number; bytes: number } | undefined {
  const [, sum, last, through, bytes] = COUNTER.exec(text) ?? [];
  if (sum === undefined || hex(crc32(`${last} ${through}`, crc32(`log\n${log}\n`))) !== sum) return undefined;
  return { last: Number(last), through: Number(through), bytes: Number(bytes) };
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
