import { structuredPatch } from 'diff';

export interface DiffLine {
  kind: 'added' | 'removed' | 'same' | 'hunk';
  text: string;
}

/** Milliseconds after which a comparison is given up: two long texts with nothing in common take minutes. */
const TIMEOUT_MS = 300;
const CONTEXT_LINES = 3;

const KINDS: Readonly<Record<string, DiffLine['kind']>> = { '+': 'added', '-': 'removed', ' ': 'same' };

/**
 * What has changed between two texts, line by line, with three lines around each change; a new text (`null` before) is
 * all added. Undefined when the comparison takes too long.
 */
export function diffLines(before: string | null, after: string): DiffLine[] | undefined {
  const patch = structuredPatch('', '', before ?? '', after, undefined, undefined, {
    context: CONTEXT_LINES,
    timeout: TIMEOUT_MS,
  });
  return patch?.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    { kind: 'hunk' as const, text: `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@` },
    // The note that a text does not end with a line break (`\`) is no line of it.
    ...lines.flatMap((line): DiffLine[] => {
      const kind = KINDS[line[0] ?? ''];
      return kind === undefined ? [] : [{ kind, text: line }];
    }),
  ]);
}
