import { crc32 } from 'node:zlib';
import { hex } from './document-file.ts';

/**
 * A log as a file that people can read: one JSON object a line.
 *
 *     {"crc32":"…","log":"messages/…","after":0,"last":40,"bytes":20480}      (padded with spaces to a fixed length)
 *     {"crc32":"…","sequence":1,"at":1790000000000,"value":…}
 *
 * `after` is the greatest number that was trimmed, `last` the greatest that was ever given, `bytes` the size of the file:
 * a file that lost its end is told by it. The CRC of a line covers its bytes behind `"crc32":"…",` without the line break;
 * that of an entry goes on from the CRC of the log's name and a line break, so that an entry is not mistaken for one of
 * another log. A value whose text holds line breaks is kept as `"text":"…"` instead.
 */
export interface LogHeader {
  log: string;
  after: number;
  last: number;
  bytes: number;
}

export interface LineEntry {
  sequence: number;
  at: number;
  value: unknown;
}

const OPENING = '{"crc32":"';
const CLOSING = '",';
/** Where the bytes begin that a CRC covers. */
const COVERED = OPENING.length + 8 + CLOSING.length;
const SEQUENCE = '"sequence":';
const DIGITS = COVERED + SEQUENCE.length;
const VALUE = ',"value":';
/** Digits that the three numbers of a header take at most. */
const HEADER_DIGITS = 12 + 12 + 16;

/** What the CRCs of the entries of a log go on from. */
export function seedOf(log: string): number {
  return crc32(`${log}\n`);
}

export function encodeHeader({ log, after, last, bytes }: LogHeader): Buffer {
  const covered = `"log":${JSON.stringify(log)},"after":${after},"last":${last},"bytes":${bytes}}`;
  const padded = covered.padEnd(coveredHeaderLength(log));
  return Buffer.from(`${OPENING}${hex(crc32(padded))}${CLOSING}${padded}\n`);
}

/** Bytes of the header line of a log, its line break included. */
export function headerLength(log: string): number {
  // Names may hold any character, and the padding counts UTF-16 units.
  const padded = ''.padEnd(coveredHeaderLength(log) - JSON.stringify(log).length) + JSON.stringify(log);
  return COVERED + Buffer.byteLength(padded) + 1;
}

function coveredHeaderLength(log: string): number {
  return `"log":${JSON.stringify(log)},"after":,"last":,"bytes":}`.length + HEADER_DIGITS;
}

/** The header in a line; undefined when it is damaged or none. */
export function decodeHeader(line: Buffer): LogHeader | undefined {
  if (!isWhole(line, 0, line.length, 0)) return undefined;
  try {
    const { log, after, last, bytes } = JSON.parse(line.toString()) as Partial<LogHeader>;
    if (log === undefined || after === undefined || last === undefined || bytes === undefined)
      return undefined;
    return { log, after, last, bytes };
  } catch {
    return undefined;
  }
}

export function encodeEntry(seed: number, sequence: number, at: number, json: string): string {
  const kept = /[\n\r]/.test(json) ? `"text":${JSON.stringify(json)}` : `"value":${json}`;
  const covered = `${SEQUENCE}${sequence},"at":${at},${kept}}`;
  return `${OPENING}${hex(crc32(covered, seed))}${CLOSING}${covered}\n`;
}

/** The number of the entry in a line (without its line break); 0 when the line is not whole. */
export function sequenceIn(bytes: Buffer, start: number, end: number, seed: number): number {
  if (!isWhole(bytes, start, end, seed)) return 0;
  let sequence = 0;
  for (let i = start + DIGITS; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    sequence = sequence * 10 + digit;
  }
  return sequence;
}

/** The number that a damaged line gives; a guess. */
export function claimedSequence(line: Buffer): number {
  return Number(/"sequence":([0-9]{1,12})/.exec(line.toString('latin1', 0, 100))?.[1] ?? 0);
}

/** The entry in a line that `sequenceIn` found whole. */
export function decodeEntry(bytes: Buffer, start: number, end: number): LineEntry {
  const { sequence, at, value, text } = JSON.parse(bytes.toString('utf8', start, end)) as LineEntry & {
    text?: string;
  };
  return { sequence, at, value: text === undefined ? value : JSON.parse(text) };
}

/** The same with the exact text of the value. */
export function decodeEntryText(
  bytes: Buffer,
  start: number,
  end: number,
): { sequence: number; at: number; json: string } {
  const line = bytes.toString('utf8', start, end);
  const mark = line.indexOf(',', line.indexOf('"at":'));
  const { sequence, at, text } = JSON.parse(line) as LineEntry & { text?: string };
  return { sequence, at, json: text ?? line.slice(mark + VALUE.length, -1) };
}

function isWhole(bytes: Buffer, start: number, end: number, seed: number): boolean {
  if (end - start <= COVERED) return false;
  for (let i = 0; i < OPENING.length; i++) if (bytes[start + i] !== OPENING.charCodeAt(i)) return false;
  const closing = start + OPENING.length + 8;
  if (bytes[closing] !== 0x22 || bytes[closing + 1] !== 0x2c) return false;
  return writtenCrc(bytes, start + OPENING.length) === crc32(bytes.subarray(start + COVERED, end), seed);
}

/** Eight hexadecimal digits in small letters; -1 when they are not. */
function writtenCrc(bytes: Buffer, at: number): number {
  let crc = 0;
  for (let i = at; i < at + 8; i++) {
    const code = bytes[i] as number;
    const digit = code <= 0x39 ? code - 0x30 : code - 0x57;
    if (digit < 0 || digit > 15 || (code > 0x39 && code < 0x61)) return -1;
    crc = crc * 16 + digit;
  }
  return crc;
}

/** Where the next line may begin inside of a damaged one whose line break is gone; -1 when nowhere. */
export function nextOpening(bytes: Buffer, from: number, end: number): number {
  const found = bytes.indexOf(OPENING, from, 'latin1');
  return found < 0 || found >= end ? -1 : found;
}
