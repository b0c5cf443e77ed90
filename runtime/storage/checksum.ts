import { crc32 } from 'node:zlib';

/**
 * Every record carries a CRC-32 that covers its identity as well as its value, so that a flipped bit is found and a row
 * that was swapped or relabelled is, too. The value has a CRC of its own that goes into the record's: whoever only needs
 * to trust a document's version need not read 10 MB of value for it.
 */
export const valueChecksum = (json: string): number => crc32(json);

export function documentChecksum(
  collection: string,
  id: string,
  version: number,
  fields: string,
  expiresAt: number | null,
  valueCrc: number,
): number {
  return crc32(
    `document\n${collection}\n${id}\n${version}\n${expiresAt === null ? '' : expiresAt}\n${valueCrc}\n${fields}`,
  );
}

export function entryChecksum(log: string, sequence: number, at: number, valueCrc: number): number {
  return crc32(`entry\n${log}\n${sequence}\n${at}\n${valueCrc}`);
}

/** `number` is what the entries of the log refer to it by. */
export function logChecksum(log: string, number: number, lastSequence: number): number {
  return crc32(`log\n${log}\n${number}\n${lastSequence}`);
}
