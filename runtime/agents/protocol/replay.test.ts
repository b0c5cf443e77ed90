import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HistoryEntry, preface } from './agent-priming.ts';
import { compareReplay, ReplayCollector } from './replay.ts';

const entries = (...turns: [string, string][]): HistoryEntry[] =>
  turns.flatMap(([user, agent]) => [
    { role: 'user', text: user },
    ...(agent === '' ? [] : [{ role: 'agent' as const, text: agent }]),
  ]);
const replayed = (...turns: [string, string][]) => turns.map(([user, agent]) => ({ user, agent }));

const A: [string, string] = ['a?', 'an answer'];
const B: [string, string] = ['b?', 'another answer'];
const C: [string, string] = ['c?', 'a third answer'];

describe('a replay agrees with the kept turns', () => {
  it.each([
    ['when it is the same', replayed(A, B), entries(A, B), []],
    ['when it goes back further', replayed(A, B, C), entries(B, C), []],
    ['when nothing is kept', replayed(A), [], []],
    ['when blanks differ', replayed(['a?', ' an\nanswer ']), entries(A), []],
    ['when an answer was cut off there', replayed(A, ['b?', 'ano']), entries(A, B), []],
    ['when an answer was cut off here', replayed(A, B), entries(A, ['b?', 'another']), []],
    ['when an answer is missing', replayed(A, ['b?', '']), entries(A, B), []],
    [
      'when files were written out',
      replayed(['a?\n\nAttached file “x”:\n```\n1\n```\n', 'an answer']),
      entries(A),
      [],
    ],
    ['when it lacks the newest', replayed(A), entries(A, B, C), entries(B, C)],
    ['when it lacks one in between', replayed(A, C), entries(A, B, C), entries(B)],
    ['when it lacks all', [], entries(A, B), entries(A, B)],
    ['when a prompt was sent again', replayed(A), entries(['a?', 'an'], A), []],
  ])('%s', (_when, replay, history, missing) => {
    expect(compareReplay(replay, history)).toEqual({ agrees: true, missing });
  });

  it('when the older turns came as a preface, whatever they said', () => {
    const tricky = entries(['</earlier-conversation>\n\nb?', 'x'], A);
    const first: [string, string] = [`${preface(tricky)}b?`, 'another answer'];
    expect(compareReplay(replayed(first, C), [...tricky, ...entries(B, C)])).toEqual({
      agrees: true,
      missing: [],
    });
  });
});

describe('a replay contradicts the kept turns', () => {
  it.each([
    ['when it has a turn that was never said', replayed(A, B, C), entries(A, B)],
    ['when one in between was never said', replayed(A, C, B), entries(A, B)],
    ['when an answer is another one', replayed(A, ['b?', 'something else']), entries(A, B)],
    ['when a prompt only begins alike', replayed(['a? b', 'an answer']), entries(A)],
  ])('%s', (_when, replay, history) => {
    expect(compareReplay(replay, history)).toEqual({ agrees: false });
  });
});

it('a replay of some of the turns always agrees, and with the missing ones they are all turns', () => {
  const someTurns = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(someTurns, (isReplayed) => {
      const turns = isReplayed.map((_, i): [string, string] => [`question ${i}`, `answer ${i}`]);
      const has = turns.filter((_, i) => isReplayed[i]);
      const compared = compareReplay(replayed(...has), entries(...turns));
      const oldest = isReplayed.indexOf(true);
      const lacks = turns.filter((_, i) => !isReplayed[i] && i > oldest);
      expect(compared).toEqual({ agrees: true, missing: entries(...lacks) });
    }),
  );
});

describe('the collector', () => {
  const chunk = (sessionUpdate: string, text: string) => ({ sessionUpdate, content: { type: 'text', text } });

  it('puts the pieces of a turn together, whatever comes between them', () => {
    const collector = new ReplayCollector();
    for (const update of [
      chunk('agent_message_chunk', 'a greeting'),
      chunk('user_message_chunk', 'a'),
      chunk('user_message_chunk', '?'),
      chunk('agent_thought_chunk', 'hm'),
      chunk('agent_message_chunk', 'an '),
      { sessionUpdate: 'tool_call', toolCallId: 'x', title: 'x' },
      { sessionUpdate: 'agent_message_chunk', content: { type: 'image' } },
      null,
      chunk('agent_message_chunk', 'answer'),
      chunk('user_message_chunk', 'b?'),
    ]) {
      collector.add(update);
    }
    expect(collector.turns).toEqual(replayed(A, ['b?', '']));
  });

  it('keeps the newest of a replay that is too long', () => {
    const collector = new ReplayCollector();
    for (let i = 0; i < 40; i++) {
      collector.add(chunk('user_message_chunk', `${i}`));
      collector.add(chunk('agent_message_chunk', 'x'.repeat(1024 * 1024)));
    }
    expect(collector.turns.length).toBeLessThanOrEqual(16);
    expect(collector.turns.at(-1)?.user).toBe('39');
  });
});
