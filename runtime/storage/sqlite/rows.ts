import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { documentChecksum, valueChecksum } from '../checksum.ts';
import type { DocumentRow } from './protocol.ts';

/** The columns of a {@link DocumentRow}, in its order. */
export const DOCUMENT_COLUMNS = 'key, collection, id, version, fields, expires_at, value_crc, crc, json';

/** True when the row is what was written: both of its checksums fit. */
export function isWholeDocument(row: DocumentRow): boolean {
  const [, collection, id, version, fields, expiresAt, valueCrc, crc, json] = row;
  return (
    typeof json === 'string' &&
    valueChecksum(json) === valueCrc &&
    documentChecksum(collection, id, version, fields, expiresAt, valueCrc) === crc
  );
}

/**
 * Where a log goes on whose counter failed its checksum: behind the greatest number known, so that none is used twice. A
 * counter in the upper half of what is possible is taken for a flipped bit and not for work done.
 */
export function credibleLastSequence(stored: number, greatest: number): number {
  const credible = Number.isSafeInteger(stored) && stored >= 0 && stored <= MAXIMUM_SEQUENCE / 2;
  return Math.max(greatest, credible ? stored : 0);
}
