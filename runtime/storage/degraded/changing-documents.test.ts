import { describe, expect, it } from 'vitest';
import { checkOperations } from '../checked-input.ts';
import { ChangingDocuments } from './changing-documents.ts';

const commitOf = (...ids: string[]) =>
  checkOperations(ids.map((id) => ({ kind: 'put', collection: 'notes', id, value: 1 })));

/** Ends a commit, and answers what was contested. */
function ended(changing: ChangingDocuments, commit: ReturnType<typeof commitOf>): string[] {
  const contested: string[] = [];
  changing.end(commit, (collection, id) => contested.push(`${collection}/${id}`));
  return contested;
}

describe('documents that are changing', () => {
  it('change from the begin of a commit to its end', () => {
    const changing = new ChangingDocuments();
    const commit = commitOf('a');
    expect(changing.has('notes', 'a')).toBe(false);
    changing.begin(commit);
    expect(changing.has('notes', 'a')).toBe(true);
    expect(changing.has('others', 'a')).toBe(false);
    expect(ended(changing, commit)).toEqual([]);
    expect(changing.has('notes', 'a')).toBe(false);
  });

  it('are contested by commits at the same time, and told when the last has ended', () => {
    const changing = new ChangingDocuments();
    const [first, second] = [commitOf('a', 'b'), commitOf('b', 'c')];
    changing.begin(first);
    changing.begin(second);
    expect(ended(changing, first)).toEqual([]);
    expect(changing.has('notes', 'b')).toBe(true);
    expect(ended(changing, second)).toEqual(['notes/b']);
    changing.begin(first);
    expect(ended(changing, first)).toEqual([]);
  });

  it('are not contested by one commit that changes them twice, nor by one after the other', () => {
    const changing = new ChangingDocuments();
    for (const commit of [commitOf('a', 'a'), commitOf('a')]) {
      changing.begin(commit);
      expect(ended(changing, commit)).toEqual([]);
      expect(changing.has('notes', 'a')).toBe(false);
    }
  });

  it('are still known as changing after thousands of others have changed', () => {
    const changing = new ChangingDocuments();
    const slow = commitOf('slow');
    changing.begin(slow);
    for (let i = 0; i < 5_000; i++) {
      const commit = commitOf(`other-${i}`);
      changing.begin(commit);
      expect(ended(changing, commit)).toEqual([]);
    }
    expect(changing.has('notes', 'slow')).toBe(true);
    const another = commitOf('slow');
    changing.begin(another);
    expect(ended(changing, slow)).toEqual([]);
    expect(ended(changing, another)).toEqual(['notes/slow']);
  });
});
