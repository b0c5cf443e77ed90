import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Makes a random id of `length` characters. */
export type MakeId = (length: number) => string;

/**
 * A random id in Crockford's base 32 (lower case, without i, l, o and u): 5 bits a character,
 * so 32 characters hold 160 bits and need no check for collisions.
 */
export const randomId: MakeId = (length) => {
  let id = '';
  for (const byte of randomBytes(length)) id += ALPHABET[byte & 31];
  return id;
};

/**
 * An id that sorts by the time at which it was made: 9 characters of milliseconds since the epoch,
 * then 11 random ones (55 bits). Used for what is listed by age: turns, messages, events, jobs, backups.
 */
export function timeOrderedId(now: number, makeId: MakeId = randomId): string {
  let time = '';
  for (let rest = now, i = 0; i < 9; i++) {
    time = ALPHABET[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  return time + makeId(11);
}
