import type { IndexValue } from './storage.ts';

/**
 * The order of text in the storage port: by Unicode code point, which is the order of the UTF-8 bytes and what SQLite's
 * BINARY and PostgreSQL's "C" collation do. JavaScript's `<` compares UTF-16 code units and differs for astral characters.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Moves the surrogates behind the rest of the basic plane, where the characters that they stand for belong. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

/** The order of index values: numbers before text, numbers by size, text as {@link compareText} has it. */
export function compareIndexValues(a: IndexValue, b: IndexValue): number {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1;
  return typeof b === 'number' ? 1 : compareText(a, b);
}

const PLAIN = /^[\0-\x7f]*$/;

/** Text without regard to case: Unicode simple case folding, one code point to one. */
export function foldCase(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  let folded = '';
  for (const character of text) folded += foldCharacter(character);
  return folded;
}

function foldCharacter(character: string): string {
  // Dotless i would meet i by way of I; simple folding keeps them apart.
  if (character === 'ı') return character;
  // Through upper case first: ſ, ς and their like have an upper case in common with s and σ, but are lower case themselves.
  const upper = ifSingle(character.toUpperCase(), character);
  return ifSingle(upper.toLowerCase(), upper);
}

/** `changed` when it is one code point, otherwise `original`: ß stays ß and does not become ss. */
function ifSingle(changed: string, original: string): string {
  return String.fromCodePoint(changed.codePointAt(0) ?? 0).length === changed.length ? changed : original;
}
