import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { systemClock, VirtualClock } from '../../base/clock.ts';
import { startAgentProcess } from './agent-process.ts';

afterEach(() => vi.restoreAllMocks());

it('a group that may not be signalled ends nothing but the signal', async () => {
  const started = await startAgentProcess({
    command: {
      command: process.execPath,
      args: ['-e', 'process.stdin.resume()'],
      cwd: '/',
      env: {},
      secrets: [],
    },
    spawn,
    clock: systemClock,
    redact: (text) => text,
  });
  const refused = vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
  });
  expect(() => started.signal('SIGKILL')).not.toThrow();
  // Ends with its stdin; the signals to go on, and to what is left of its group, are refused, too.
  expect(await started.end()).toMatchObject({ code: 0, signal: null });
  expect(refused).toHaveBeenCalledTimes(3);
});

it('has ended when what it wrote was taken, not before', async () => {
  const clock = new VirtualClock();
  const started = await startAgentProcess({
    command: {
      command: process.execPath,
      args: ['-e', 'process.stdout.write("last words")'],
      cwd: '/',
      env: {},
      secrets: [],
    },
    spawn,
    clock,
    redact: (text) => text,
  });
  let hasEnded = false;
  void started.ended.then(() => {
    hasEnded = true;
  });
  // Reads it into the buffer of the stream, from which nobody takes it.
  const isThere = once(started.stdout, 'readable');
  started.stdout.on('readable', () => undefined);
  await isThere;
  await started.exited;
  for (let i = 0; i < 5; i++) {
    await clock.advance(250);
    await setImmediate();
  }
  expect(hasEnded).toBe(false);
  expect(String(started.stdout.read())).toBe('last words');
  await started.ended;
});
