import { expect, it } from 'vitest';
import type { Note } from './storm-notes.ts';
import { storyOf } from './storm-story.ts';

const SECOND = 1_000_000;
const at = (began: number, by?: string) => ({
  began: began * SECOND,
  ended: began * SECOND + 500,
  ...(by === undefined ? {} : { by }),
});

const put = (id: string, number: number, began: number, writer = 'w'): Note[] => [
  ['sent', { writer, number }, [{ kind: 'put', collection: 'sessions', id, value: `w.${number}` }]],
  ['acknowledged', { writer, number }, [{ version: number }], at(began, 'w, instance 0')],
];

const notes: Note[] = [
  ['document', 'sessions/d0', 5, 'w.5', at(16, 'r, instance 1, the copy')],
  ...[1, 5, 6].flatMap((number) => put('d0', number, 10 + number - 1)),
  ...put('d1', 6, 15, 'v'),
  ['document', 'sessions/d0', 1, 'w.1', at(10.5)],
  ['document', 'sessions/d1', 6, 'w.6', at(15.5)],
  ['fault', 'Redis hangs', at(15.6)],
  ['fault', 'long over', at(10)],
  ['break', { what: 'switched', ...at(13) }],
];

it('tells who wrote and read what a problem names, in the order of time, and what failed before', () => {
  const problem = 'sessions/d0 was read as 5, 6 was acknowledged before the read began';
  expect(storyOf(problem, notes)).toEqual([
    '3.000000–3.000500  === the data were switched',
    '4.000000–4.000500  w.5 was acknowledged: put sessions/d0#5 (w, instance 0)',
    '5.000000–5.000500  w.6 was acknowledged: put sessions/d0#6 (w, instance 0)',
    '5.600000–5.600500  === Redis hangs',
    '6.000000–6.000500  sessions/d0 was read as #5: "w.5" (r, instance 1, the copy)',
  ]);
});

it('tells of a commit that a problem names all that it wrote', () => {
  const entries: Note = [
    'entries',
    'messages/0',
    [
      [1, 'w.5'],
      [30, 'w.7'],
    ],
    true,
    at(17),
  ];
  const told = storyOf('messages/0#30 was acknowledged to w.7, and is not there', [
    ['sent', { writer: 'w', number: 7 }, [{ kind: 'append', log: 'messages/0', value: 'w.7' }]],
    ['acknowledged', { writer: 'w', number: 7 }, [{ sequence: 30 }], at(14)],
    ['forgotten', { writer: 'w', number: 7 }, at(18)],
    entries,
  ]);
  expect(told).toEqual([
    '0.000000–0.000500  w.7 was acknowledged: append messages/0#30',
    '3.000000–3.000500  messages/0 was read from 1 to 30, its end, among them #30 w.7',
    '4.000000–4.000500  w.7 was sent again and refused',
  ]);
});

it('says nothing of what was not noted, and leaves out the middle of what is long', () => {
  expect(storyOf('Redis hangs: it did not go on', notes)).toEqual([]);
  const many = Array.from({ length: 200 }, (_, i): Note => ['document', 'sessions/d0', 5, 'x', at(20 + i)]);
  const story = storyOf('sessions/d0 was read as 5', many);
  expect(story).toHaveLength(81);
  expect(story[40]).toBe('… 120 more, which the notes hold …');
});
