import { expect, test } from 'vitest';
import { ERROR_CODES } from '#contract';
import { interruptionInWords, turnAdvice } from './turn-error.ts';

const adviceOn = (code: string) => turnAdvice({ code, message: 'what happened' });

test('a missing key leads to the settings', () => {
  expect(adviceOn('provider.key_missing')).toMatchObject({
    title: ERROR_CODES['provider.key_missing'].title,
    link: { to: '/settings' },
    again: true,
  });
  expect(adviceOn('provider.key_missing').action).toContain('Settings page');
});

test('a crashed agent is said to be restarted', () => {
  expect(adviceOn('agent.crashed')).toMatchObject({ link: { to: '/agents' }, again: true });
  expect(adviceOn('agent.crashed').action).toContain('being restarted');
});

test('what would fail again is not offered to be sent again', () => {
  expect(adviceOn('provider.context_too_long').again).toBe(false);
  expect(adviceOn('session.too_large').again).toBe(false);
});

test('every code that a provider or an agent can end a turn with says what to do, an unknown one too', () => {
  const codes = Object.keys(ERROR_CODES).filter((code) => /^(provider|agent)\./.test(code));
  for (const code of [...codes, 'some.future_code']) expect(adviceOn(code).action, code).not.toBe('');
  expect(adviceOn('some.future_code')).toMatchObject({
    title: 'The agent could not finish its answer',
    link: undefined,
    again: true,
  });
});

test('an interruption says who stopped, and its reason once', () => {
  const kept = 'What had arrived is kept; nothing is sent again unless you ask.';
  expect(interruptionInWords({})).toEqual({
    title: 'Interrupted: the app stopped while the agent was answering',
    text: kept,
  });
  expect(
    interruptionInWords({
      error: { code: 'runtime.stopped', message: 'The app stopped while the agent was answering.' },
    }).text,
  ).toBe(kept);
  expect(
    interruptionInWords({ error: { code: 'agent.crashed', message: 'It ended with exit code 1.' } }),
  ).toEqual({
    title: 'Interrupted: the agent stopped while it was answering',
    text: `It ended with exit code 1. ${kept}`,
  });
});
