import { describe, expect, it } from 'vitest';
import { type AgentState, agentState } from '../../contract/index.ts';
import { type AgentSignal, firstState, nextState, TRANSITIONS } from './agent-states.ts';

/** Every transition there is, one line each: a change of the table must be a change here, too. */
const EXPECTED: [AgentState, AgentSignal, AgentState][] = [
  ['stopped', 'launched', 'unknown'],
  ['crashed', 'launched', 'unknown'],
  ['crash-loop', 'launched', 'unknown'],
  ['interrupted', 'launched', 'unknown'],
  ['unknown', 'restart-asked', 'restarting'],
  ['healthy', 'restart-asked', 'restarting'],
  ['busy', 'restart-asked', 'restarting'],
  ['needs-you', 'restart-asked', 'restarting'],
  ['degraded', 'restart-asked', 'restarting'],
  ['unresponsive', 'restart-asked', 'restarting'],
  ['crash-loop', 'restart-asked', 'restarting'],
  ['crashed', 'restart-asked', 'restarting'],
  ['interrupted', 'restart-asked', 'restarting'],
  ['stopped', 'restart-asked', 'restarting'],
  ['unknown', 'ready', 'healthy'],
  ['restarting', 'ready', 'healthy'],
  ['unknown', 'ready-unprobed', 'degraded'],
  ['restarting', 'ready-unprobed', 'degraded'],
  ['healthy', 'turn-began', 'busy'],
  ['degraded', 'turn-began', 'busy'],
  ['busy', 'turns-ended', 'healthy'],
  ['needs-you', 'turns-ended', 'healthy'],
  ['busy', 'turns-ended-unproven', 'degraded'],
  ['needs-you', 'turns-ended-unproven', 'degraded'],
  ['busy', 'waits', 'needs-you'],
  ['degraded', 'waits', 'needs-you'],
  ['needs-you', 'waits-no-more', 'busy'],
  ['busy', 'answered-idle', 'healthy'],
  ['degraded', 'answered-idle', 'healthy'],
  ['unresponsive', 'answered-idle', 'healthy'],
  ['healthy', 'answered-busy', 'busy'],
  ['degraded', 'answered-busy', 'busy'],
  ['unresponsive', 'answered-busy', 'busy'],
  ['healthy', 'answered-waiting', 'needs-you'],
  ['busy', 'answered-waiting', 'needs-you'],
  ['degraded', 'answered-waiting', 'needs-you'],
  ['unresponsive', 'answered-waiting', 'needs-you'],
  ['healthy', 'answered-slowly', 'degraded'],
  ['busy', 'answered-slowly', 'degraded'],
  ['unresponsive', 'answered-slowly', 'degraded'],
  ['healthy', 'silent', 'unresponsive'],
  ['busy', 'silent', 'unresponsive'],
  ['needs-you', 'silent', 'unresponsive'],
  ['degraded', 'silent', 'unresponsive'],
  ['unknown', 'exited', 'restarting'],
  ['healthy', 'exited', 'restarting'],
  ['busy', 'exited', 'restarting'],
  ['needs-you', 'exited', 'restarting'],
  ['degraded', 'exited', 'restarting'],
  ['unresponsive', 'exited', 'restarting'],
  ['unknown', 'exited-cleanly', 'stopped'],
  ['restarting', 'exited-cleanly', 'stopped'],
  ['healthy', 'exited-cleanly', 'stopped'],
  ['busy', 'exited-cleanly', 'stopped'],
  ['needs-you', 'exited-cleanly', 'stopped'],
  ['degraded', 'exited-cleanly', 'stopped'],
  ['unresponsive', 'exited-cleanly', 'stopped'],
  ['unknown', 'start-refused', 'restarting'],
  ['healthy', 'start-refused', 'restarting'],
  ['busy', 'start-refused', 'restarting'],
  ['needs-you', 'start-refused', 'restarting'],
  ['degraded', 'start-refused', 'restarting'],
  ['unresponsive', 'start-refused', 'restarting'],
  ['stopped', 'start-refused', 'restarting'],
  ['crashed', 'start-refused', 'restarting'],
  ['crash-loop', 'start-refused', 'restarting'],
  ['interrupted', 'start-refused', 'restarting'],
  ['unknown', 'breaker-opened', 'crash-loop'],
  ['restarting', 'breaker-opened', 'crash-loop'],
  ['healthy', 'breaker-opened', 'crash-loop'],
  ['busy', 'breaker-opened', 'crash-loop'],
  ['needs-you', 'breaker-opened', 'crash-loop'],
  ['degraded', 'breaker-opened', 'crash-loop'],
  ['unresponsive', 'breaker-opened', 'crash-loop'],
  ['unknown', 'launch-failed', 'crashed'],
  ['restarting', 'launch-failed', 'crashed'],
  ['healthy', 'launch-failed', 'crashed'],
  ['busy', 'launch-failed', 'crashed'],
  ['needs-you', 'launch-failed', 'crashed'],
  ['degraded', 'launch-failed', 'crashed'],
  ['unresponsive', 'launch-failed', 'crashed'],
  ['stopped', 'launch-failed', 'crashed'],
  ['crashed', 'launch-failed', 'crashed'],
  ['crash-loop', 'launch-failed', 'crashed'],
  ['interrupted', 'launch-failed', 'crashed'],
  ['unknown', 'stopped', 'stopped'],
  ['restarting', 'stopped', 'stopped'],
  ['healthy', 'stopped', 'stopped'],
  ['busy', 'stopped', 'stopped'],
  ['needs-you', 'stopped', 'stopped'],
  ['degraded', 'stopped', 'stopped'],
  ['unresponsive', 'stopped', 'stopped'],
  ['crashed', 'stopped', 'stopped'],
  ['crash-loop', 'stopped', 'stopped'],
  ['interrupted', 'stopped', 'stopped'],
];

describe('the transitions of an agent', () => {
  it.each(EXPECTED)('%s + %s → %s', (state, signal, next) => {
    expect(nextState(state, signal)).toBe(next);
  });

  it('changes nothing else', () => {
    const listed = new Set(EXPECTED.map(([state, signal]) => `${state} ${signal}`));
    for (const signal of Object.keys(TRANSITIONS) as AgentSignal[]) {
      for (const state of agentState.options) {
        if (!listed.has(`${state} ${signal}`))
          expect(nextState(state, signal), `${state} ${signal}`).toBe(state);
      }
    }
  });

  it('can be left from every state by a user who starts it, or stops it', () => {
    for (const state of agentState.options) {
      const stopped = nextState(state, 'stopped');
      expect(stopped).toBe('stopped');
      expect(nextState(stopped, 'launched')).toBe('unknown');
    }
  });

  it('enters “healthy” only by an answered probe, or at the end of a turn of an agent that has answered one', () => {
    const signals = (Object.keys(TRANSITIONS) as AgentSignal[]).filter((signal) =>
      Object.values(TRANSITIONS[signal]).includes('healthy'),
    );
    expect(signals.toSorted()).toEqual(['answered-idle', 'ready', 'turns-ended']);
  });

  it('leaves “unresponsive” only by an answer, or with the process', () => {
    const signals = (Object.keys(TRANSITIONS) as AgentSignal[]).filter(
      (signal) => nextState('unresponsive', signal) !== 'unresponsive',
    );
    expect(signals.toSorted()).toEqual([
      'answered-busy',
      'answered-idle',
      'answered-slowly',
      'answered-waiting',
      'breaker-opened',
      'exited',
      'exited-cleanly',
      'launch-failed',
      'restart-asked',
      'start-refused',
      'stopped',
    ]);
  });

  it('enters every state', () => {
    const entered = new Set(Object.values(TRANSITIONS).flatMap((row) => Object.values(row)));
    expect(agentState.options.filter((state) => !entered.has(state))).toEqual(['interrupted']);
  });
});

describe('the first state', () => {
  const known = { autostart: true, desired: 'running' as const, inTurn: false, isBreakerOpen: false };
  it.each([
    [{}, 'unknown'],
    [{ inTurn: true }, 'unknown'],
    [{ isBreakerOpen: true }, 'crash-loop'],
    [{ desired: 'stopped' as const }, 'stopped'],
    [{ desired: 'stopped' as const, isBreakerOpen: true }, 'stopped'],
    [{ autostart: false }, 'stopped'],
    [{ autostart: false, isBreakerOpen: true }, 'stopped'],
    [{ autostart: false, inTurn: true }, 'interrupted'],
    [{ autostart: false, inTurn: true, desired: 'stopped' as const }, 'stopped'],
  ])('with %j is %s', (rest, state) => {
    expect(firstState({ ...known, ...rest }).state).toBe(state);
  });
});
