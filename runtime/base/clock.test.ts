import { expect, test } from 'vitest';
import { delay, systemClock, VirtualClock } from './clock.ts';

test('virtual time runs what falls due, in the order of the due times', async () => {
  const clock = new VirtualClock(1000);
  const calls: string[] = [];
  clock.after(20, () => calls.push(`b ${clock.now()}`));
  clock.after(10, () => calls.push(`a ${clock.now()}`));
  const tick = clock.every(15, () => calls.push(`tick ${clock.now()}`));
  await clock.advance(30);
  expect(calls).toEqual(['a 1010', 'tick 1015', 'b 1020', 'tick 1030']);
  expect(clock.monotonic()).toBe(30);
  tick.cancel();
  tick.cancel();
  expect(clock.pending).toBe(0);
});

test.each([
  ['the system clock', systemClock],
  ['a virtual clock', new VirtualClock()],
])('a delay on %s ends early, and leaves no timer, when it is aborted', async (_, clock) => {
  const abort = new AbortController();
  const waiting = delay(clock, 60_000, abort.signal);
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(delay(clock, 1, abort.signal)).rejects.toThrow('enough');
});

test('a delay resolves in its time', async () => {
  await delay(systemClock, 1);
});
