/** So many marks of Markdown are read in a second or so; within one paragraph the time grows with their square, or worse. */
const MOST_MARKS = 8000;
const MOST_MARKS_OF_A_PARAGRAPH = 2000;

/** Quotes and lists within each other: each level is a call within a call of whoever reads or draws them. */
const NESTED_TOO_DEEP = /^(?:\s*(?:>|[-*+]\s|\d+[.)]\s)){12}/;

const MARK = /[[\]*_`<>~|!]/g;
const FENCE = /^ {0,3}(?:```[^`]*|~~~.*)$/;

/**
 * True for a text that takes seconds to be laid out as Markdown, or exhausts the stack: an agent can write one that is
 * short. What is in a block of code costs nothing.
 */
export function isCostlyMarkdown(text: string): boolean {
  let all = 0;
  let paragraph = 0;
  let isCode = false;
  for (const line of text.split('\n')) {
    if (FENCE.test(line)) isCode = !isCode;
    if (isCode) continue;
    if (NESTED_TOO_DEEP.test(line)) return true;
    const marks = line.match(MARK)?.length ?? 0;
    all += marks;
    paragraph = line.trim() === '' ? 0 : paragraph + marks;
    if (all > MOST_MARKS || paragraph > MOST_MARKS_OF_A_PARAGRAPH) return true;
  }
  return false;
}
