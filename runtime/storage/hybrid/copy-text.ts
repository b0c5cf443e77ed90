import { documentChecksum, entryChecksum, entryChecksumsOf, valueChecksum } from '../checksum.ts';
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

/** The entries of a copy, from the sequence `first` on without a gap; undefined when one of them is damaged. */
export function entriesOf<T>(
  log: string,
  first: number,
  texts: readonly string[],
): LogEntry<T>[] | undefined {
  const checksum = entryChecksumsOf(log);
  const entries: LogEntry<T>[] = [];
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i] as string;
    const space = text.indexOf(' ');
    const end = text.indexOf('\n', space);
    const at = Number(text.slice(space + 1, end));
    const json = text.slice(end + 1);
    const sequence = first + i;
    if (checksum(sequence, at, valueChecksum(json)) !== Number(text.slice(0, space))) return undefined;
    entries.push({ log, sequence, at, value: JSON.parse(json) as T });
  }
  return entries;
}

function split(text: string): [numbers: string[], json: string] {
  const end = text.indexOf('\n');
  return [text.slice(0, Math.max(end, 0)).split(' '), text.slice(end + 1)];
}
