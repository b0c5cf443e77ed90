import { crc32 } from 'node:zlib';
import { fieldsToText } from '../checked-input.ts';
import type { IndexValue } from '../storage.ts';
import { hex, standsAt, writtenCrc } from './written-crc.ts';

/**
 * A document as a file that people can read:
 *
 *     {
 *       "crc32": "…",          of the lines from the next one up to "value", newlines included
 *       "contentCrc32": "…",   of the lines from "value" to the end of the file
 *       "collection": "sessions",
 *       "id": "…",
 *       "version": 3,
 *       "expiresAt": 0,        only if it expires
 *       "index": { … },        only if it has index fields
 *       "value": …,
 *       "text": "…"            only when the value's own text is not what JSON.stringify makes of it
 *     }
 *
 * The first covers the second, so whoever trusts the head can tell whether the value is the one that belongs to it.
 */
export interface DocumentHead {
  collection: string;
  id: string;
  version: number;
  /** The index fields as text, '' for none. */
  fields: string;
  expiresAt: number | null;
  /** Of the head; as it covers the CRC of the content, it stands for the whole file. */
  crc: number;
}

const OPENING = '{\n  "crc32": "';
const OPENING_BYTES = Buffer.from(OPENING);
const CLOSING = Buffer.from('",\n');
const CLOSING_START = OPENING.length + 8;
/** Where the bytes begin that the CRC of the head covers. */
const HEAD_START = CLOSING_START + CLOSING.length;
const CONTENT_CRC = '  "contentCrc32": "';
const VALUE_MARK = Buffer.from('\n  "value": ');

/** A document as the bytes of its file, and the CRC of its head. */
export function encodeDocument(document: {
  collection: string;
  id: string;
  version: number;
  fields: string;
  expiresAt: number | null;
  json: string;
}): { bytes: Buffer; crc: number } {
  const { collection, id, version, fields, expiresAt, json } = document;
  const value: unknown = JSON.parse(json);
  const exact = JSON.stringify(value) === json;
  const content = Buffer.from(
    `  "value": ${indented(value)}${exact ? '' : `,\n  "text": ${JSON.stringify(json)}`}\n}\n`,
  );
  const head = [
    `${CONTENT_CRC}${hex(crc32(content))}",`,
    `  "collection": ${JSON.stringify(collection)},`,
    `  "id": ${JSON.stringify(id)},`,
    `  "version": ${version},`,
    ...(expiresAt === null ? [] : [`  "expiresAt": ${expiresAt},`]),
    ...(fields === '' ? [] : [`  "index": ${indented(JSON.parse(fields))},`]),
    '',
  ].join('\n');
  const crc = crc32(head);
  return { bytes: Buffer.concat([Buffer.from(`${OPENING}${hex(crc)}",\n${head}`), content]), crc };
}

/**
 * The value in a file whose head must have this CRC, and its exact text. Undefined when a byte of the file is not as it was
 * written.
 */
export function decodeValue(bytes: Buffer, crc: number): { value: unknown; json(): string } | undefined {
  const end = headEnd(bytes);
  if (end === undefined || checkedHeadCrc(bytes, end) !== crc) return undefined;
  const content = bytes.subarray(end);
  if (contentCrcOf(bytes) !== crc32(content)) return undefined;
  // Only what stands behind the head: who reads a value knows the rest.
  const file = parse(`{${content.toString()}`);
  if (file === undefined) return undefined;
  return { value: file.value, json: () => file.text ?? JSON.stringify(file.value) };
}

/**
 * The head of a file from its first bytes: `undefined` when it is damaged, `'more'` when it does not end within these
 * bytes. Says nothing about the value.
 */
export function decodeHead(bytes: Buffer): DocumentHead | 'more' | undefined {
  const end = headEnd(bytes);
  if (end === undefined) return 'more';
  const crc = checkedHeadCrc(bytes, end);
  if (crc === undefined) return undefined;
  const file = parse<ParsedFile>(`${bytes.toString('utf8', 0, end)}  "value": null\n}`);
  return file === undefined ? undefined : toHead(file, crc);
}

/** True when every byte of a file is as it was written. */
export function isWholeDocument(bytes: Buffer): boolean {
  const end = headEnd(bytes);
  return (
    end !== undefined &&
    checkedHeadCrc(bytes, end) !== undefined &&
    contentCrcOf(bytes) === crc32(bytes.subarray(end))
  );
}

/** Where the line of the value begins. */
function headEnd(bytes: Buffer): number | undefined {
  const mark = bytes.indexOf(VALUE_MARK);
  return mark < 0 ? undefined : mark + 1;
}

/** The CRC of the head, unless another one is written there. */
function checkedHeadCrc(bytes: Buffer, end: number): number | undefined {
  if (end < HEAD_START || !standsAt(bytes, OPENING_BYTES, 0) || !standsAt(bytes, CLOSING, CLOSING_START))
    return undefined;
  const crc = crc32(bytes.subarray(HEAD_START, end));
  return writtenCrc(bytes, OPENING.length) === crc ? crc : undefined;
}

function contentCrcOf(bytes: Buffer): number {
  return writtenCrc(bytes, HEAD_START + CONTENT_CRC.length);
}

interface ParsedContent {
  value: unknown;
  text?: string;
}

interface ParsedFile extends ParsedContent {
  collection: string;
  id: string;
  version: number;
  expiresAt?: number;
  index?: Record<string, IndexValue>;
}

/** What the CRCs say is whole was written by this module and has its shape. */
function parse<T extends ParsedContent>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

function toHead({ collection, id, version, expiresAt, index }: ParsedFile, crc: number): DocumentHead {
  const fields = index === undefined ? '' : fieldsToText(index);
  return { collection, id, version, fields, expiresAt: expiresAt ?? null, crc };
}

function indented(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n  ');
}
