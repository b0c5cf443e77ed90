import { continuedChecksum } from '../checksum.ts';

/*
 * Seven characters behind a text bring its CRC-32 to any sum that one wishes, as the last field of an Ethernet frame does. They
 * are of an alphabet in which each bit of five can be chosen on its own (`@`, `A` to `Z`, `[`, `\`, `]`, `^` and `_`), and what a
 * bit of theirs adds to the sum does not depend on the others: which to choose is a system of 32 linear equations, solved once
 * for each of the bits that are to be changed.
 */

export const SEAL_LENGTH = 7;
const CHOICES = 32;
const BITS_OF_CHARACTER = 5;
const FIRST_CHARACTER = 0x40;
const BLANK = String.fromCharCode(FIRST_CHARACTER).repeat(SEAL_LENGTH);

/** The bits of a seal in two numbers: those of its first four characters, and those of the last three. */
const FIRST_BITS = 4 * BITS_OF_CHARACTER;

/** The seal behind a text whose CRC-32 is `sum`: over both of them it is `wanted`. */
export function sealFor(sum: number, wanted: number): string {
  const change = continuedChecksum(sum, BLANK) ^ wanted;
  const a = change & 0xff;
  const b = 0x100 | ((change >>> 8) & 0xff);
  const c = 0x200 | ((change >>> 16) & 0xff);
  const d = 0x300 | (change >>> 24);
  const first = at(FIRST, a) ^ at(FIRST, b) ^ at(FIRST, c) ^ at(FIRST, d);
  const last = at(LAST, a) ^ at(LAST, b) ^ at(LAST, c) ^ at(LAST, d);
  return pair(first) + pair(first >>> 10) + pair(last) + character(last >>> 10);
}

const at = (table: Int32Array, place: number): number => table[place] as number;
const character = (bits: number): string => String.fromCharCode(FIRST_CHARACTER + bits);
const PAIRS = Array.from(
  { length: CHOICES * CHOICES },
  (_, bits) => character(bits % CHOICES) + character(Math.floor(bits / CHOICES)),
);
const pair = (bits: number): string => PAIRS[bits & (CHOICES * CHOICES - 1)] as string;

/** By byte of the change and its value: the bits of the seal that make it. */
const FIRST = new Int32Array(4 * 256);
const LAST = new Int32Array(4 * 256);
for (const [bit, seal] of sealsOfBits().entries()) {
  const inFirst = Number(BigInt.asUintN(FIRST_BITS, seal));
  const inLast = Number(seal >> BigInt(FIRST_BITS));
  const byte = bit >> 3;
  for (let value = 0; value < 256; value++) {
    if ((value & (1 << (bit & 7))) === 0) continue;
    const place = (byte << 8) | value;
    FIRST[place] = at(FIRST, place) ^ inFirst;
    LAST[place] = at(LAST, place) ^ inLast;
  }
}

/** For each bit of a sum the bits of the seal that change it and no other: the equations, solved by elimination. */
function sealsOfBits(): bigint[] {
  const solved: { pivot: number; change: number; seal: bigint }[] = [];
  for (let bit = 0; bit < SEAL_LENGTH * BITS_OF_CHARACTER; bit++) {
    let change = changeBy(bit);
    let seal = 1n << BigInt(bit);
    for (const one of solved) {
      if (((change >>> one.pivot) & 1) === 0) continue;
      change ^= one.change;
      seal ^= one.seal;
    }
    if (change === 0) continue;
    const pivot = 31 - Math.clz32(change);
    for (const one of solved) {
      if (((one.change >>> pivot) & 1) === 0) continue;
      one.change ^= change;
      one.seal ^= seal;
    }
    solved.push({ pivot, change, seal });
  }
  return solved.sort((a, b) => a.pivot - b.pivot).map(({ seal }) => seal);
}

/** What one bit of a seal changes in the sum. */
function changeBy(bit: number): number {
  const place = Math.floor(bit / BITS_OF_CHARACTER);
  const changed = character(1 << (bit % BITS_OF_CHARACTER));
  const seal = BLANK.slice(0, place) + changed + BLANK.slice(place + 1);
  return continuedChecksum(0, seal) ^ continuedChecksum(0, BLANK);
}
