import { documentChecksum, entryChecksumsOf, valueChecksum } from '../checksum.ts';
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
  const end = text.indexOf('\n');
  const json = text.slice(end + 1);
  const [crc, version, expiry = ''] = text.slice(0, Math.max(end, 0)).split(' ');
  const expiresAt = expiry === '' ? null : Number(expiry);
  const found = documentChecksum(collection, id, Number(version), '', expiresAt, valueChecksum(json));
  if (String(found) !== crc) return undefined;
  const value = JSON.parse(json) as T;
  return { collection, id, version: Number(version), value, ...(expiresAt === null ? {} : { expiresAt }) };
}

/** `crc` is that of the entry (`entryChecksumsOf`). */
export const entryText = (crc: number, at: number, json: string): string => `${crc} ${at}\n${json}`;

/** The list that holds entries (ascending, without a gap) which are all of their log from the sequence `from` on. */
export function logTexts(log: string, from: number, entries: readonly LogEntry[]): string[] {
  const checksum = entryChecksumsOf(log);
  const texts = [`${from} ${entries[0]?.sequence ?? 0}`];
  for (const { sequence, at, value } of entries) {
    const json = JSON.stringify(value);
    texts.push(entryText(checksum(sequence, at, valueChecksum(json)), at, json));
  }
  return texts;
}

/** What the header of such a list says; undefined when there is none. */
export function headerOf(text: string | undefined): { from: number; first: number } | undefined {
  const found = text === undefined ? null : HEADER.exec(text);
  return found === null ? undefined : { from: Number(found[1]), first: Number(found[2]) };
}

const HEADER = /^(\d+) (\d+)$/;

/**
 * The entries of a copy, in their places in its list, the one at `place` with the sequence `first`; undefined when one of
 * them is damaged.
 */
export function entriesOf<T>(
  log: string,
  first: number,
  texts: readonly string[],
  place = 0,
): LogEntry<T>[] | undefined {
  const checksum = entryChecksumsOf(log);
  const entries: LogEntry<T>[] = [];
  for (let i = place; i < texts.length; i++) {
    const text = texts[i] as string;
    const space = text.indexOf(' ');
    const end = text.indexOf('\n', space);
    const at = Number(text.slice(space + 1, end));
    const json = text.slice(end + 1);
    const sequence = first + i - place;
    if (checksum(sequence, at, valueChecksum(json)) !== Number(text.slice(0, space))) return undefined;
    entries.push({ log, sequence, at, value: JSON.parse(json) as T });
  }
  return entries;
}
