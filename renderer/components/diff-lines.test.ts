import { describe, expect, it } from 'vitest';
import { diffLines } from './diff-lines.ts';

describe('the lines of a diff', () => {
  it('shows what was added and removed, with what stands around it', () => {
    expect(diffLines('a\nb\nc\n', 'a\nB\nc\n')).toEqual([
      { kind: 'hunk', text: '@@ -1,3 +1,3 @@' },
      { kind: 'same', text: ' a' },
      { kind: 'removed', text: '-b' },
      { kind: 'added', text: '+B' },
      { kind: 'same', text: ' c' },
    ]);
  });

  it('shows a new file as added', () => {
    expect(diffLines(null, 'one\ntwo')?.map(({ kind }) => kind)).toEqual(['hunk', 'added', 'added']);
  });

  it('has nothing to show for equal texts', () => {
    expect(diffLines('same', 'same')).toEqual([]);
  });
});
