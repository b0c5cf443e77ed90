import { describe, expect, it } from 'vitest';
import type { Agent } from '#contract';
import { capabilityWords, exitWords, launchLine, stateNote } from './agent-words.ts';

const agent = (change: Partial<Agent>): Agent =>
  ({ state: 'healthy', attempt: 0, breakerLimit: 5, ...change }) as Agent;

describe('stateNote', () => {
  it('counts down to the time that the runtime has set', () => {
    expect(stateNote(agent({ state: 'restarting', attempt: 2, nextRestartAt: 9000 }), 5000)).toBe(
      '2 of 5 · in 4 s',
    );
    expect(stateNote(agent({ state: 'restarting', nextRestartAt: 9000 }), 9500)).toBe('now');
    expect(stateNote(agent({ state: 'crash-loop', halfOpenAt: 300_000 }), 0)).toBe('one try in 5 min');
  });

  it('says since when it has been quiet, and nothing where there is nothing to say', () => {
    expect(stateNote(agent({ state: 'busy', quietSince: 0 }), 360_000)).toMatch(/^quiet since \d\d:\d\d$/);
    expect(stateNote(agent({}), 0)).toBeUndefined();
    // A time of a try that was made already says nothing.
    expect(stateNote(agent({ nextRestartAt: 9000 }), 0)).toBeUndefined();
  });
});

it('says what an agent can do, how it is run and how it ended', () => {
  const none = {
    loadSession: false,
    resumeSession: false,
    closeSession: false,
    image: false,
    audio: false,
    embeddedContext: false,
    mcpHttp: false,
    mcpSse: false,
  };
  expect(capabilityWords(none)).toEqual([]);
  expect(capabilityWords({ ...none, image: true, loadSession: true })).toEqual([
    'Loads sessions',
    'Takes images',
  ]);
  expect(launchLine({ kind: 'command', command: '/a b', args: ['-x'], env: {} })).toBe("'/a b' -x");
  expect(launchLine({ kind: 'builtin', program: 'echo', args: [] })).toBe('echo');
  const exit = { generation: 1, at: 0, stderr: '', intended: false, reason: '' };
  expect(exitWords({ ...exit, code: null, signal: 'SIGKILL' })).toBe('Signal SIGKILL');
  expect(exitWords({ ...exit, code: 3, signal: null })).toBe('Exit code 3');
});
