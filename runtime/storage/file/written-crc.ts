const DIGITS = 8;

/** A CRC-32 as people write it: eight hexadecimal digits in small letters. */
export function hex(crc: number): string {
  return crc.toString(16).padStart(DIGITS, '0');
}

/** The CRC-32 that is written at a place; -1 when there is none. */
export function writtenCrc(bytes: Buffer, at: number): number {
  let crc = 0;
  for (let i = at; i < at + DIGITS; i++) {
    const code = bytes[i] as number;
    const digit = code <= 0x39 ? code - 0x30 : code - 0x57;
    if (digit < 0 || digit > 15 || (code > 0x39 && code < 0x61)) return -1;
    crc = crc * 16 + digit;
  }
  return crc;
}

/** True when these bytes stand at a place. */
export function standsAt(bytes: Buffer, expected: Buffer, at: number): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
