/**
 * Arrays in the binary form of PostgreSQL: nothing in them is quoted, on neither side. The client library sends a Buffer as
 * what it is, so the statement must name exactly the type of the array.
 */

const HEADER_BYTES = 20;
const OID = { bytea: 17, int8: 20, text: 25 } as const;
const POWER_32 = 2 ** 32;

/** As `bigint[]`. */
export function binaryNumbers(values: readonly number[]): Buffer {
  const bytes = begin(OID.int8, values.length, false, 12 * values.length);
  let at = HEADER_BYTES;
  for (const value of values) {
    bytes.writeInt32BE(8, at);
    bytes.writeInt32BE(Math.floor(value / POWER_32), at + 4);
    bytes.writeInt32BE(value | 0, at + 8);
    at += 12;
  }
  return bytes;
}

/** Of well-formed text, as `text[]`. */
export function binaryTexts(values: readonly string[]): Buffer {
  let size = 4 * values.length;
  for (const value of values) size += Buffer.byteLength(value);
  const bytes = begin(OID.text, values.length, false, size);
  let at = HEADER_BYTES;
  for (const value of values) {
    const length = bytes.write(value, at + 4);
    bytes.writeInt32BE(length, at);
    at += 4 + length;
  }
  return bytes;
}

/** As `bytea[]`. */
export function binaryBytes(values: readonly (Buffer | null)[]): Buffer {
  let size = 4 * values.length;
  for (const value of values) size += value?.length ?? 0;
  const bytes = begin(OID.bytea, values.length, values.includes(null), size);
  let at = HEADER_BYTES;
  for (const value of values) {
    bytes.writeInt32BE(value?.length ?? -1, at);
    at += 4;
    if (value !== null) at += value.copy(bytes, at);
  }
  return bytes;
}

/** Of one dimension, counted from 1. */
function begin(type: number, length: number, hasNulls: boolean, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + size);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(hasNulls ? 1 : 0, 4);
  bytes.writeInt32BE(type, 8);
  bytes.writeInt32BE(length, 12);
  bytes.writeInt32BE(1, 16);
  return bytes;
}
