import { describe, expect, it } from 'vitest';
import { type HistoryEntry, keptTurns, preface } from './agent-priming.ts';

const turn = (number: number, answer = `answer ${number}`): HistoryEntry[] => [
  { role: 'user', text: `question ${number}` },
  { role: 'agent', text: answer },
];
const history = [1, 2, 3, 4].flatMap((number) => turn(number));

describe('the kept turns', () => {
  it('are the newest ones', () => {
    expect(keptTurns(history, { turns: 2, maxBytes: 1e6 })).toEqual([...turn(3), ...turn(4)]);
    expect(keptTurns(history, { turns: 10, maxBytes: 1e6 })).toEqual(history);
    expect(keptTurns(history, { turns: 0, maxBytes: 1e6 })).toEqual([]);
  });

  it('are kept whole, and within the size in bytes', () => {
    const long = [...turn(1, 'ä'.repeat(100)), ...turn(2)];
    expect(keptTurns(long, { turns: 10, maxBytes: 20 })).toEqual(turn(2));
    expect(keptTurns(long, { turns: 10, maxBytes: 227 })).toEqual(turn(2));
    expect(keptTurns(long, { turns: 10, maxBytes: 228 })).toEqual(long);
  });

  it('may have any number of answers, or none', () => {
    const entries: HistoryEntry[] = [
      { role: 'agent', text: 'cut off from its question' },
      { role: 'user', text: 'a' },
      { role: 'agent', text: 'b' },
      { role: 'agent', text: 'c' },
      { role: 'user', text: 'unanswered' },
    ];
    expect(keptTurns(entries, { turns: 2, maxBytes: 1e6 })).toEqual(entries.slice(1));
  });
});

describe('the preface', () => {
  it('tells the turns between marks, and that they are over', () => {
    const text = preface(turn(1));
    expect(text).toMatch(/^<earlier-conversation>\n/);
    expect(text).toContain(
      '<user>\nquestion 1\n</user>\n<agent>\nanswer 1\n</agent>\n</earlier-conversation>',
    );
    expect(text.endsWith('\n\n')).toBe(true);
  });

  it('is empty without a history', () => {
    expect(preface([])).toBe('');
  });
});
