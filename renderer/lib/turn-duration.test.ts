import { expect, test } from 'vitest';
import { turnDuration } from './turn-duration.ts';

test('a turn lasts from its start to its end, where somebody saw its end', () => {
  expect(turnDuration({ startedAt: 100 })).toBeUndefined();
  expect(turnDuration({ startedAt: 100, endedAt: 350 })).toBe(250);
  const crashed = { code: 'agent.crashed', message: 'It ended with exit code 1.' };
  expect(turnDuration({ startedAt: 100, endedAt: 350, error: crashed })).toBe(250);
  const stopped = { code: 'runtime.stopped', message: 'The app stopped.' };
  expect(turnDuration({ startedAt: 100, endedAt: 86_400_000, error: stopped })).toBeUndefined();
});
