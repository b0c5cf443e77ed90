import { expect, it } from 'vitest';
import type { Operation } from '../../storage.ts';
import type { Note, Span } from './storm-notes.ts';
import { type Carried, type EraOf, removalProblems } from './storm-removals.ts';

const at = (began: number): Span => ({ began, ended: began + 5 });
const carried = (began: number, operations: Operation[], sequence = 0): Carried => ({
  operations,
  results: operations.map(({ kind }) => (kind === 'append' ? { sequence } : {})),
  span: at(began),
});
const put = (value: string, expiresAt: number): Operation => ({
  kind: 'put',
  collection: 'lapsing',
  id: 'l0',
  value,
  expiresAt,
});
const trim = (through: number): Operation[] => [
  { kind: 'append', log: 'trimmed/0', value: 'w.1' },
  { kind: 'trim', log: 'trimmed/0', through },
];
const lapsing = (value: string | null, readAt: number, began: number): Note => [
  'lapsing',
  'l0',
  value,
  readAt,
  at(began),
];
const entries = (first: number, began: number): Note => [
  'entries',
  'trimmed/0',
  [[first, 'w.1']],
  true,
  at(began),
];
const always: EraOf = () => 0;

it.each<[string, Operation, string]>([
  ['replaced', put('w.2', 900), 'lapsing/l0 was read as w.1, which had become w.2'],
  [
    'deleted',
    { kind: 'delete', collection: 'lapsing', id: 'l0' },
    'lapsing/l0 was read as w.1, which had become none',
  ],
])('finds a document that was read after it had been %s', (_, change, problem) => {
  const commits = [carried(100, [put('w.1', 900)]), carried(200, [change])];
  expect(removalProblems(commits, [lapsing('w.1', 500, 300)], always)).toEqual([problem]);
  // Read before, or at the same time; the change came first, or at the same time; on other data.
  for (const began of [150, 198, 203])
    expect(removalProblems(commits, [lapsing('w.1', 500, began)], always)).toEqual([]);
  for (const began of [50, 103]) {
    const [first] = commits as [Carried];
    expect(removalProblems([first, carried(began, [change])], [lapsing('w.1', 500, 300)], always)).toEqual(
      [],
    );
  }
  const eraOf: EraOf = ({ began }) => (began < 250 ? 0 : 1);
  expect(removalProblems(commits, [lapsing('w.1', 500, 300)], eraOf)).toEqual([]);
});

it('finds a document that was read after it had expired', () => {
  const commits = [carried(100, [put('w.1', 900)])];
  const problem = 'lapsing/l0 was read as w.1, which had expired';
  expect(removalProblems(commits, [lapsing('w.1', 899, 300), lapsing(null, 900, 300)], always)).toEqual([]);
  expect(removalProblems(commits, [lapsing('w.1', 900, 300)], always)).toEqual([problem]);
});

it('finds entries that were read after they had been trimmed', () => {
  const commits = [carried(100, trim(Number.MAX_SAFE_INTEGER), 7), carried(120, trim(3), 8)];
  expect(removalProblems(commits, [entries(8, 300), entries(7, 104)], always)).toEqual([]);
  expect(removalProblems(commits, [entries(7, 300)], always)).toEqual([
    'trimmed/0 was read from #7 on, 7 was trimmed',
  ]);
  // What came behind the end of the log when it was trimmed is there.
  expect(removalProblems([carried(100, trim(50), 7)], [entries(8, 300)], always)).toEqual([]);
});
