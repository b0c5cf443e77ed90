import { elementsOf, type LogElement } from './record-text.ts';

export interface NumberedElement {
  sequence: number;
  entry: { at: number; json: string } | 'gone' | 'damaged';
}

/**
 * The elements of a log, in their order, with their numbers: one that does not say its own has that which its neighbours leave
 * to it, the first one `first`. Undefined when that is needed and not given.
 */
export function numbered(
  log: string,
  elements: readonly string[],
  first: number | undefined,
): NumberedElement[] | undefined {
  const parse = elementsOf(log);
  const found: NumberedElement[] = [];
  let last = first === undefined ? undefined : first - 1;
  /** Before the first that says its number. */
  let unknown = 0;
  for (const element of elements) {
    const parsed = parse(element);
    if (parsed !== undefined) {
      const one = numberedOf(parsed, last);
      for (; unknown > 0; unknown--)
        (found[found.length - unknown] as NumberedElement).sequence = one.sequence - unknown;
      found.push(one);
      last = Math.max(last ?? 0, one.sequence);
    } else {
      found.push({ sequence: (last ?? 0) + 1, entry: 'damaged' });
      if (last === undefined) unknown += 1;
      else last += 1;
    }
  }
  return unknown > 0 ? undefined : found;
}

/** One that does not stand behind `last` is not in its place. */
function numberedOf(parsed: LogElement | number, last = -1): NumberedElement {
  if (typeof parsed === 'number') return { sequence: parsed, entry: 'damaged' };
  const { sequence, at, json } = parsed;
  if (sequence <= last) return { sequence, entry: 'damaged' };
  return { sequence, entry: json === undefined ? 'gone' : { at, json } };
}
