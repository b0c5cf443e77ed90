/** The words of a command line, or what is wrong with it. */
export type SplitResult = { readonly words: string[] } | { readonly error: string };

/** What a backslash outside of quotes takes its meaning from; before anything else it is itself: `C:\tools\agent.exe`. */
const ESCAPABLE = /[\s"'\\]/;
/** … and between double quotes. */
const ESCAPABLE_IN_QUOTES = /["\\]/;

/**
 * Splits a command line into its words as a shell does: at white space, with `'…'` and `"…"` around what belongs
 * together. Nothing else of a shell: no variables, no pipes, no patterns; the words go to the program as they are.
 */
export function splitCommandLine(line: string): SplitResult {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const letter = line.charAt(at);
    const next = line.charAt(at + 1);
    if (quote !== undefined) {
      if (letter === quote) quote = undefined;
      else if (quote === '"' && letter === '\\' && ESCAPABLE_IN_QUOTES.test(next)) {
        word += next;
        at += 1;
      } else word += letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (letter === '\\' && ESCAPABLE.test(next)) {
      word = (word ?? '') + next;
      at += 1;
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + letter;
  }
  if (quote !== undefined) return { error: `A ${quote} is not closed.` };
  if (word !== undefined) words.push(word);
  return { words };
}

/** The line that {@link splitCommandLine} splits into these words again. */
export function joinCommandLine(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** What the user may have meant a shell to do, in words; undefined when there is nothing of the kind. */
export function shellHint(words: readonly string[]): string | undefined {
  const operator = words.find((word) => /^(?:[|;<>]|&&?|\|\||>>|2>.*)$/.test(word));
  if (operator !== undefined) {
    return `No shell reads this line: “${operator}” is given to the program as it is.`;
  }
  const [first] = words;
  if (first !== undefined && /^[A-Za-z_]\w*=/.test(first)) {
    return `“${first.slice(0, first.indexOf('='))}” looks like a variable: give it under Environment.`;
  }
  const variable = words.find((word) => /\$\{?[A-Za-z_]/.test(word) || word.startsWith('~/'));
  return variable === undefined
    ? undefined
    : `No shell reads this line: “${variable}” is given to the program as it is.`;
}
