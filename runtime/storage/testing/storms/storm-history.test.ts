/** That the check of a storm finds what it is for: each case spoils one thing of a history in which nothing is wrong. */
import { describe, expect, it } from 'vitest';
import type { Operation, OperationResult, SnapshotRecord } from '../../storage.ts';
import { StormHistory } from './storm-history.ts';
import type { Break, Note, Span } from './storm-notes.ts';
import { snapshotProblems } from './storm-snapshot.ts';

const LOG = 'messages/0';
const at = (began: number, ended = began + 5): Span => ({ began, ended });

function operations(number: number): Operation[] {
  const value = `w.${number}+`;
  return [
    { kind: 'append', log: LOG, value },
    { kind: 'put', collection: 'own', id: 'w', value: number },
    { kind: 'put', collection: 'sessions', id: 'd0', value },
  ];
}
const sent = (number: number): Note => ['sent', { writer: 'w', number }, operations(number)];
const answered = (number: number, results: OperationResult[], span: Span): Note => [
  'acknowledged',
  { writer: 'w', number },
  results,
  span,
];
const results = (number: number): OperationResult[] => [
  { sequence: number },
  { version: number },
  { version: number },
];

/** Three commits, one after the other, each read behind. */
const notes: Note[] = [1, 2, 3].flatMap((number): Note[] => [
  sent(number),
  answered(number, results(number), at(number * 100)),
  ['document', 'sessions/d0', number, `w.${number}+`, at(number * 100 + 10)],
  ['entries', LOG, [[number, `w.${number}+`]], true, at(number * 100 + 20)],
]);

const document = (collection: string, id: string, version: number, value: unknown): SnapshotRecord => ({
  kind: 'document',
  collection,
  id,
  version,
  json: JSON.stringify(value),
  index: {},
});
const entry = (sequence: number, value: string): SnapshotRecord => ({
  kind: 'entry',
  log: LOG,
  sequence,
  at: 1,
  json: JSON.stringify(value),
});
const found: SnapshotRecord[] = [
  document('own', 'w', 3, 3),
  document('sessions', 'd0', 3, 'w.3+'),
  { kind: 'log', log: LOG, lastSequence: 3 },
  ...[1, 2, 3].map((number) => entry(number, `w.${number}+`)),
];

const problemsOf = ({
  more = [],
  there = found,
  breaks = [],
}: {
  more?: Note[];
  there?: SnapshotRecord[];
  breaks?: Break[];
} = {}) => new StormHistory([...notes, ...more], breaks).problems(there);

/** The records, with one replaced or, by undefined, left out. */
const but = (place: number, record?: SnapshotRecord) =>
  found.flatMap((one, i) => (i !== place ? [one] : record === undefined ? [] : [record]));

describe('the check of a storm', () => {
  it('has nothing against a history in which nothing is wrong', () => {
    expect(problemsOf()).toEqual([]);
    expect(new StormHistory(notes).counts).toEqual({ acknowledged: 3, refused: 0, unknown: 0, reads: 6 });
  });

  it.each<[string, Parameters<typeof problemsOf>[0], RegExp]>([
    ['an entry that was lost', { there: but(5) }, /messages\/0#3 was acknowledged to w\.3, and is not there/],
    ['a document that was lost', { there: but(1) }, /sessions\/d0 is at 0, 3 was acknowledged/],
    [
      'a document that is older than acknowledged',
      { there: but(1, document('sessions', 'd0', 2, 'w.2+')) },
      /sessions\/d0 is at 2, 3 was acknowledged/,
    ],
    [
      'a document with another value',
      { there: but(1, document('sessions', 'd0', 3, 'w.2+')) },
      /sessions\/d0@3 is w\.2\+, acknowledged was w\.3\+/,
    ],
    [
      'an entry under another number',
      { there: [...but(5), entry(4, 'w.3+')] },
      /messages\/0#3 was acknowledged to w\.3, and is not there/,
    ],
    ['an entry that nobody has sent', { there: [...found, entry(4, 'x.1')] }, /which nobody has sent/],
    [
      'a commit that was refused and is there',
      { more: [sent(4), ['refused', { writer: 'w', number: 4 }]], there: [...found, entry(4, 'w.4+')] },
      /w\.4\+, which was refused/,
    ],
    [
      'a commit that was refused and acknowledged',
      { more: [['refused', { writer: 'w', number: 3 }]] },
      /w\.3 was both refused and acknowledged/,
    ],
    [
      'a number that was given twice',
      { more: [sent(4), answered(4, [{ sequence: 3 }, { version: 4 }, { version: 4 }], at(400))] },
      /messages\/0#3 \(0\) was given to w\.3 and w\.4/,
    ],
    [
      'a version that was given twice',
      { more: [sent(4), answered(4, [{ sequence: 4 }, { version: 4 }, { version: 3 }], at(400))] },
      /sessions\/d0@3 \(0\) was given to w\.3 and w\.4/,
    ],
    [
      'another answer to the same commit',
      { more: [answered(3, results(4), at(400))] },
      /w\.3 was answered .* and then /,
    ],
    [
      'a commit that was acknowledged and then refused',
      { more: [['forgotten', { writer: 'w', number: 3 }, at(400)]] },
      /w\.3 was acknowledged and then refused/,
    ],
    [
      'an old document that was read',
      { more: [['document', 'sessions/d0', 2, 'w.2+', at(400)]] },
      /sessions\/d0 was read as 2, 3 was acknowledged/,
    ],
    [
      'an old log that was read',
      { more: [['entries', LOG, [[2, 'w.2+']], true, at(400)]] },
      /messages\/0 was read as 2, 3 was acknowledged/,
    ],
    [
      'another value than acknowledged that was read',
      { more: [['document', 'sessions/d0', 3, 'w.1+', at(400)]] },
      /sessions\/d0#3 was acknowledged as w\.3\+ and read as w\.1\+/,
    ],
    [
      'a gap that was read',
      {
        more: [
          [
            'entries',
            LOG,
            [
              [1, 'w.1+'],
              [3, 'w.3+'],
            ],
            true,
            at(400),
          ],
        ],
      },
      /messages\/0 has gaps before 3; the generation was switched 0 times/,
    ],
    ['a gap that is there', { there: but(4) }, /messages\/0 has gaps before 3;/],
    [
      'a gap at the end of a log',
      { there: but(2, { kind: 'log', log: LOG, lastSequence: 4 }) },
      /messages\/0 has gaps before 5;/,
    ],
    [
      'a snapshot that was given up',
      { more: [['snapshot ended', 'so it said', at(400)]] },
      /a snapshot was rejected: so it said/,
    ],
    ['what a process has noted', { more: [['problem', 'what it said']] }, /^what it said$/],
  ])('finds %s', (_, spoilt, problem) => {
    expect(problemsOf(spoilt)).toContainEqual(expect.stringMatching(problem));
  });

  it('finds what was trimmed and is there', () => {
    const value = 'w.4';
    const trim: Note[] = [
      [
        'sent',
        { writer: 'w', number: 4 },
        [
          { kind: 'append', log: 'trimmed/0', value },
          { kind: 'trim', log: 'trimmed/0', through: Number.MAX_SAFE_INTEGER },
        ],
      ],
      answered(4, [{ sequence: 1 }, {}], at(400)),
    ];
    const counter: SnapshotRecord = { kind: 'log', log: 'trimmed/0', lastSequence: 1 };
    expect(problemsOf({ more: trim, there: [...found, counter] })).toEqual([]);
    const there: SnapshotRecord = { kind: 'entry', log: 'trimmed/0', sequence: 1, at: 1, json: '"w.4"' };
    expect(problemsOf({ more: trim, there: [...found, counter, there] })).toEqual([
      'trimmed/0#1 is there, 1 was trimmed',
    ]);
  });

  it('lets be lost what was acknowledged before the data became other data, and only that', () => {
    const empty: SnapshotRecord[] = [];
    expect(problemsOf({ there: empty, breaks: [{ what: 'switched', ...at(350) }] })).toEqual([]);
    expect(problemsOf({ there: empty, breaks: [{ what: 'switched', ...at(250) }] })).toHaveLength(3);
    // Versions begin anew, and numbers only when they were lost themselves.
    const anew: Note[] = [sent(4), answered(4, [{ sequence: 1 }, { version: 1 }, { version: 1 }], at(400))];
    const there = [
      document('own', 'w', 1, 4),
      document('sessions', 'd0', 1, 'w.4+'),
      { kind: 'log', log: LOG, lastSequence: 1 } as const,
      entry(1, 'w.4+'),
    ];
    expect(problemsOf({ more: anew, there, breaks: [{ what: 'lost', ...at(350) }] })).toEqual([]);
    expect(problemsOf({ more: anew, there, breaks: [{ what: 'switched', ...at(350) }] })).toEqual([
      'messages/0#1 (0) was given to w.1 and w.4',
    ]);
  });
});

it('lets a commit be answered otherwise that was lost since, and a snapshot end with what was lost', () => {
  const ended: Note = ['snapshot ended', 'so it said', at(340)];
  const endings = (what: Break['what']) =>
    problemsOf({ more: [ended], breaks: [{ what, ...at(342) }] }).filter((problem) =>
      problem.includes('so it'),
    );
  expect(endings('lost')).toEqual([]);
  expect(endings('switched')).toHaveLength(1);
  const more: Note[] = [answered(3, results(4), at(400)), ['forgotten', { writer: 'w', number: 2 }, at(420)]];
  const ofAnswers = (what: Break['what']) =>
    problemsOf({ more, breaks: [{ what, ...at(350) }] }).filter((problem) => problem.startsWith('w.'));
  expect(ofAnswers('lost')).toEqual([]);
  expect(ofAnswers('switched')).toHaveLength(2);
});

it('finds what was read though a switch of the generation has left it behind', () => {
  const more: Note[] = [
    ['document', 'sessions/d0', 3, 'w.3+', at(360)],
    ['entries', LOG, [[3, 'w.3+']], false, at(370)],
    ['lapsing', 'l0', 'w.3+', 1, at(380)],
  ];
  const behind = (one: Partial<Break>, again: Note[] = []) =>
    problemsOf({ more: [...more, ...again], breaks: [{ what: 'switched', ...at(340), ...one }] }).filter(
      (problem) => problem.endsWith('left behind'),
    );
  expect(behind({ leavesAll: true })).toEqual([
    'lapsing/l0 was read as w.3+, which a switch of the generation had left behind',
    'sessions/d0 was read as w.3+, which a switch of the generation had left behind',
    'messages/0#3 was read as w.3+, which a switch of the generation had left behind',
  ]);
  // What was copied is there, and so may be what was under way then, or sent again behind it.
  expect(behind({ leavesAll: false })).toEqual([]);
  expect(behind({ leavesAll: true, ...at(304) })).toEqual([]);
  expect(behind({ leavesAll: true }, [answered(3, results(1), at(350))])).toEqual([]);
});

it('takes an answer that comes again behind a switch of the generation for what was there before it', () => {
  const again = (span: Span): Note => answered(3, results(3), span);
  const switched: Break = { what: 'switched', ...at(340) };
  // It was answered late, was in the midst of the switch, and was sent again at once.
  const late: Note[] = [sent(4), answered(4, results(4), at(330, 350)), answered(4, results(4), at(351))];
  expect(problemsOf({ more: [again(at(400)), ...late], there: [], breaks: [switched] })).toEqual([]);
  const anew: Note[] = [...late, sent(5), answered(5, results(4), at(400))];
  expect(problemsOf({ more: anew, there: [], breaks: [switched] }).slice(0, 2)).toEqual([
    'messages/0#4 (0) was given to w.4 and w.5',
    'messages/0#4 was acknowledged to w.5, and is not there',
  ]);
  // Where it was lost and is answered, it was carried out anew.
  expect(problemsOf({ more: [again(at(400))], there: [], breaks: [{ what: 'lost', ...at(340) }] })).toEqual([
    'messages/0#3 was acknowledged to w.3, and is not there',
    'own/w is at 0, 3 was acknowledged to w.3',
    'sessions/d0 is at 0, 3 was acknowledged to w.3',
  ]);
});

it('lets a log have a gap for each switch of the generation, and no more', () => {
  const switched: Break = { what: 'switched', ...at(250) };
  const behind = (sequence: number): Note => ['gap', LOG, sequence];
  expect(problemsOf({ more: [behind(3), behind(3)], breaks: [switched] })).toEqual([]);
  expect(problemsOf({ more: [behind(3), behind(9)], breaks: [switched] })).toEqual([
    'messages/0 has gaps before 3,9; the generation was switched 1 times',
  ]);
});

describe('a snapshot is not whole', () => {
  it.each<[string, SnapshotRecord[], RegExp]>([
    ['with an entry twice', but(4, entry(2, 'w.1+')), /messages\/0 holds w\.1\+ twice, the second time as 2/],
    [
      'with a counter that is behind its log',
      but(2, { kind: 'log', log: LOG, lastSequence: 2 }),
      /messages\/0 ends with 3, its counter is at 2/,
    ],
    ['without the document of a commit', but(0), /own\/w is undefined at version undefined/],
    [
      'with the document of an older commit',
      but(0, document('own', 'w', 2, 2)),
      /own\/w is 2 at version 2; its 3 entries end with 3/,
    ],
    [
      'with the document of a commit whose entry is not there',
      [document('own', 'x', 1, 1)],
      /own\/x is there, none of its entries is/,
    ],
    ['with a counter that has counted twice', [document('counters', 'c0', 3, 2)], /counters\/c0@3 counts 2/],
  ])('%s', (_, records, problem) => {
    expect(snapshotProblems(found)).toEqual([]);
    expect(snapshotProblems(records)).toContainEqual(expect.stringMatching(problem));
  });
});
