import { crc32 } from 'node:zlib';
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

export function entryText(log: string, sequence: number, at: number, json: string): string {
  const prefix = crc32(`entry\n${log}\n${at}\n${crc32(json)}\n`);
  return `${at} ${hex(crc32(String(sequence), prefix))} ${json}`;
}

export interface Entry {
  sequence: number;
  at: number;
  json: string;
}

/**
 * Takes the entries of a log apart, of which `id` is that of the stream: the sequence, a dash, 0. Undefined for one that is
 * damaged. What all of them have in common is summed once.
 */
export function entriesOf(log: string): (id: string, text: string) => Entry | undefined {
  const common = crc32(`entry\n${log}\n`);
  return (id, text) => {
    const first = text.indexOf(' ');
    const second = first + 9;
    if (first < 1 || text[second] !== ' ' || !id.endsWith('-0')) return undefined;
    const at = text.slice(0, first);
    const json = text.slice(second + 1);
    const sequence = id.slice(0, -2);
    const sum = crc32(`${at}\n${crc32(json)}\n${sequence}`, common);
    if (sum !== Number.parseInt(text.slice(first + 1, second), 16)) return undefined;
    return { sequence: Number(sequence), at: Number(at), json };
  };
}

export const parseEntry = (log: string, id: string, text: string): Entry | undefined =>
  entriesOf(log)(id, text);

export const logPrefix = (log: string): string => hex(crc32(`log\n${log}\n`));

export function counterText(log: string, lastSequence: number): string {
  const numbers = `${lastSequence} 0`;
  return `${hex(crc32(numbers, crc32(`log\n${log}\n`)))} ${numbers} 0`;
}

const COUNTER = /^([0-9a-f]{8}) (\d+) (\d+) (\d+)$/;

/** Undefined when it is damaged. */
export function parseCounter(log: string, text: string): { last: number; through: number } | undefined {
  const [, sum, last, through] = COUNTER.exec(text) ?? [];
  if (sum === undefined || hex(crc32(`${last} ${through}`, crc32(`log\n${log}\n`))) !== sum) return undefined;
  return { last: Number(last), through: Number(through) };
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
