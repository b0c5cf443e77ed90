/** Bounds for what comes from an agent and is kept as it is: nobody knows its shape, so its size and depth may be anything. */

/** Deeper values exhaust the stack of whoever turns them into text again. */
const MAX_DEPTH = 64;

/** The value itself, or, when it has more than about `maxCharacters` as JSON or is nested too deep, what it was in words. */
export function boundedValue(value: unknown, maxCharacters: number): unknown {
  const left = charactersLeft(value, maxCharacters, MAX_DEPTH);
  return left >= 0
    ? value
    : `[left out: it is larger than ${maxCharacters} characters or nested deeper than ${MAX_DEPTH}]`;
}

/** As many of the values as have about `maxCharacters` as JSON together, and what became of the others in words. */
export function boundedList<T>(values: readonly T[], maxCharacters: number, note: (text: string) => T): T[] {
  let left = maxCharacters;
  const fitting = values.findIndex((value) => {
    left = charactersLeft(value, left, MAX_DEPTH);
    return left < 0;
  });
  if (fitting === -1) return [...values];
  return [...values.slice(0, fitting), note(`[left out: ${values.length - fitting} more parts]`)];
}

/** The text, cut to `maxCharacters` UTF-16 units with a note when it is longer. */
export function boundedText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const more = text.length - maxCharacters;
  return `${text.slice(0, maxCharacters).toWellFormed()}\n[cut: ${more} more characters]`;
}

function charactersLeft(value: unknown, budget: number, depth: number): number {
  if (depth === 0) return -1;
  if (typeof value === 'string') return budget - value.length - 2;
  if (typeof value !== 'object' || value === null) return budget - 5;
  let left = budget - 2;
  for (const [key, member] of Object.entries(value)) {
    left = charactersLeft(member, left - (Array.isArray(value) ? 1 : key.length + 4), depth - 1);
    if (left < 0) return left;
  }
  return left;
}
