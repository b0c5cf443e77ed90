import { documentChecksum, entryChecksum, valueChecksum } from '../checksum.ts';
import type { LogEntry, StoredDocument } from '../storage.ts';

/**
 * A record as its hot copy holds it: a line of numbers, then the JSON text. The first number is the CRC-32 that every
 * record carries, over its identity as well, so that a copy that was damaged or mixed up is never served.
 */
export function documentText(
  collection: string,
  id: string,
  version: number,
  expiresAt: number | null,
  json: string,
  valueCrc = valueChecksum(json),
): string {
  const crc = documentChecksum(collection, id, version, '', expiresAt, valueCrc);
  return `${crc} ${version} ${expiresAt ?? ''}\n${json}`;
}

/** The document of a copy; undefined when the copy is damaged. */
export function documentOf<T>(collection: string, id: string, text: string): StoredDocument<T> | undefined {
  const [numbers, json] = split(text);
  const [crc, version, expiry = ''] = numbers;
  const expiresAt = expiry === '' ? null : Number(expiry);
  const found = documentChecksum(collection, id, Number(version), '', expiresAt, valueChecksum(json));
  if (String(found) !== crc) return undefined;
  const value = JSON.parse(json) as T;
  return { collection, id, version: Number(version), value, ...(expiresAt === null ? {} : { expiresAt }) };
}

export function entryText(
  log: string,
  sequence: number,
  at: number,
  json: string,
  valueCrc = valueChecksum(json),
): string {
  return `${entryChecksum(log, sequence, at, valueCrc)} ${at}\n${json}`;
}

/** The entry of a copy; undefined when the copy is damaged. */
export function entryOf<T>(log: string, sequence: number, text: string): LogEntry<T> | undefined {
  const [[crc, at], json] = split(text);
  if (String(entryChecksum(log, sequence, Number(at), valueChecksum(json))) !== crc) return undefined;
  return { log, sequence, at: Number(at), value: JSON.parse(json) as T };
}

function split(text: string): [numbers: string[], json: string] {
  const end = text.indexOf('\n');
  return [text.slice(0, Math.max(end, 0)).split(' '), text.slice(end + 1)];
}
