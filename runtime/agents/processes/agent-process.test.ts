import { spawn } from 'node:child_process';
import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
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
