import { crc32 } from 'node:zlib';
import { hex, standsAt, writtenCrc } from './written-crc.ts';

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
  /** The text of the value. */
  json: string;
}

/** How the bytes of a line become text: `latin1` if all of them are ASCII, which is the same text in a fifth of the time. */
export type LineEncoding = 'latin1' | 'utf8';

const OPENING = '{"crc32":"';
const OPENING_BYTES = Buffer.from(OPENING);
const CLOSING = '",';
/** Where the bytes begin that a CRC covers. */
const COVERED = OPENING.length + 8 + CLOSING.length;
const SEQUENCE = '"sequence":';
const DIGITS = COVERED + SEQUENCE.length;
const AT = ',"at":';
const VALUE = ',"value":';
const TEXT = ',"text":';
const DIGIT_ZERO = 0x30;
const MINUS = 0x2d;
/** Digits that the three numbers of a header take at most. */
const HEADER_DIGITS = 12 + 12 + 16;
const EMPTY_HEADER = '"log":,"after":,"last":,"bytes":}';

/** What the CRCs of the entries of a log go on from. */
export function seedOf(log: string): number {
  return crc32(`${log}\n`);
}

export function encodeHeader({ log, after, last, bytes }: LogHeader): Buffer {
  const covered = `"log":${JSON.stringify(log)},"after":${after},"last":${last},"bytes":${bytes}}`;
  const padded = covered.padEnd(EMPTY_HEADER.length + JSON.stringify(log).length + HEADER_DIGITS);
  return Buffer.from(`${OPENING}${hex(crc32(padded))}${CLOSING}${padded}\n`);
}

/** Bytes of the header line of a log, its line break included. */
export function headerLength(log: string): number {
  const name = JSON.stringify(log);
  // Names may hold any character, and the padding counts UTF-16 units.
  const more = Buffer.byteLength(name) - name.length;
  return COVERED + EMPTY_HEADER.length + name.length + HEADER_DIGITS + more + 1;
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
  const kept = /[\n\r]/.test(json) ? `${TEXT}${JSON.stringify(json)}` : `${VALUE}${json}`;
  const covered = `${SEQUENCE}${sequence}${AT}${at}${kept}}`;
  return `${OPENING}${hex(crc32(covered, seed))}${CLOSING}${covered}\n`;
}

/** The number of the entry in a line (without its line break); 0 when the line is not whole. */
export function sequenceIn(bytes: Buffer, start: number, end: number, seed: number): number {
  if (!isWhole(bytes, start, end, seed)) return 0;
  let sequence = 0;
  for (let i = start + DIGITS; isDigit(bytes[i] as number); i++) {
    sequence = sequence * 10 + ((bytes[i] as number) - DIGIT_ZERO);
  }
  return sequence;
}

const isDigit = (byte: number): boolean => byte >= DIGIT_ZERO && byte <= DIGIT_ZERO + 9;

/** The number that a damaged line gives; a guess. */
export function claimedSequence(line: Buffer): number {
  return Number(/"sequence":([0-9]{1,12})/.exec(line.toString('latin1', 0, 100))?.[1] ?? 0);
}

/**
 * The entry in a line that `sequenceIn` found whole, with the exact text of its value. Only that is made into a string, so
 * that reading an entry takes as long as its value needs.
 */
export function decodeEntry(bytes: Buffer, start: number, end: number, encoding: LineEncoding): LineEntry {
  let position = start + DIGITS;
  let sequence = 0;
  for (let byte = bytes[position] as number; isDigit(byte); byte = bytes[++position] as number) {
    sequence = sequence * 10 + (byte - DIGIT_ZERO);
  }
  position += AT.length;
  const negative = bytes[position] === MINUS;
  if (negative) position += 1;
  let at = 0;
  for (let byte = bytes[position] as number; isDigit(byte); byte = bytes[++position] as number) {
    at = at * 10 + (byte - DIGIT_ZERO);
  }
  const isValue = bytes[position + 2] === VALUE.charCodeAt(2);
  const kept = bytes.toString(encoding, position + (isValue ? VALUE : TEXT).length, end - 1);
  return { sequence, at: negative ? -at : at, json: isValue ? kept : (JSON.parse(kept) as string) };
}

function isWhole(bytes: Buffer, start: number, end: number, seed: number): boolean {
  if (end - start <= COVERED) return false;
  if (!standsAt(bytes, OPENING_BYTES, start)) return false;
  const closing = start + OPENING.length + 8;
  if (bytes[closing] !== 0x22 || bytes[closing + 1] !== 0x2c) return false;
  return writtenCrc(bytes, start + OPENING.length) === crc32(bytes.subarray(start + COVERED, end), seed);
}

/** Where the next line may begin inside of a damaged one whose line break is gone; -1 when nowhere. */
export function nextOpening(bytes: Buffer, from: number, end: number): number {
  const found = bytes.indexOf(OPENING, from, 'latin1');
  return found < 0 || found >= end ? -1 : found;
}
