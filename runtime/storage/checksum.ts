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

/**
 * The checksums of the entries of one log: the CRC-32 of `entry`, the log, the sequence, the time and the checksum of the value,
 * a line each. What they have in common is summed once, and no text is made of the numbers: it takes a third of the time.
 */
export function entryChecksumsOf(log: string): (sequence: number, at: number, valueCrc: number) => number {
  return numbersChecksumsOf(`entry\n${log}\n`);
}

/** The CRC-32 of `head` and three numbers behind it, in decimal digits on lines of their own. */
export function numbersChecksumsOf(head: string): (first: number, second: number, third: number) => number {
  const common = crc32(head);
  return (first, second, third) =>
    isCount(first) && isCount(second) && isCount(third)
      ? ~addDigits(
          addByte(addDigits(addByte(addDigits(~common, first), NEWLINE), second), NEWLINE),
          third,
        ) >>> 0
      : crc32(`${first}\n${second}\n${third}`, common);
}

/** `numbers` is what a named commit answered, as JSON. */
export function commitChecksum(writer: string, number: number, at: number, numbers: string): number {
  return crc32(`commit\n${writer}\n${number}\n${at}\n${numbers}`);
}

/** `number` is what the entries of the log refer to it by. */
export function logChecksum(log: string, number: number, lastSequence: number): number {
  return crc32(`log\n${log}\n${number}\n${lastSequence}`);
}

const NEWLINE = 10;
const DIGIT_ZERO = 48;
/** Decimal digits that fit into an integer of 32 bits. */
const CHUNK = 1e9;
const CHUNK_DIGITS = 9;

/** The CRC-32 of each byte, by the polynomial of zlib and PNG. */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

const digits = new Uint8Array(2 * CHUNK_DIGITS);

/** Goes on with a CRC-32 over a few characters of ASCII: a call of zlib takes longer than they do. */
export function continuedChecksum(sum: number, ascii: string): number {
  let crc = ~sum;
  for (let i = 0; i < ascii.length; i++) crc = addByte(crc, ascii.charCodeAt(i));
  return ~crc >>> 0;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Sums one more byte; `crc` is the sum so far, inverted. */
function addByte(crc: number, byte: number): number {
  return (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number);
}

/** Sums the decimal digits of a safe integer that is not negative. */
function addDigits(crc: number, value: number): number {
  let length = 0;
  let rest = value;
  if (value >= CHUNK) {
    const high = Math.floor(value / CHUNK);
    let low = (value - high * CHUNK) | 0;
    while (length < CHUNK_DIGITS) {
      const tenth = (low / 10) | 0;
      digits[length++] = DIGIT_ZERO + low - tenth * 10;
      low = tenth;
    }
    rest = high;
  }
  let low = rest | 0;
  do {
    const tenth = (low / 10) | 0;
    digits[length++] = DIGIT_ZERO + low - tenth * 10;
    low = tenth;
  } while (low > 0);
  let sum = crc;
  while (length > 0) sum = addByte(sum, digits[--length] as number);
  return sum;
}
