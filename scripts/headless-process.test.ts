import { expect, it } from 'vitest';
import { isRoutineLog, readyAddress } from './headless-process.ts';

it('reads the address, with its token, from the one line that has it', () => {
  const address = 'http://127.0.0.1:3000/?token=a-b_c';
  expect(readyAddress(`SmallTalk Console is ready at ${address}`)).toBe(address);
  expect(readyAddress(`SmallTalk Console is ready at ${address}\r`)).toBe(address);
  expect(readyAddress('Health and metrics are at http://127.0.0.1:3001/health')).toBeUndefined();
  expect(readyAddress(`{"message":"SmallTalk Console is ready at ${address}"}`)).toBeUndefined();
});

it('tells the routine log from what a person should see', () => {
  expect(isRoutineLog('{"level":"INFO","message":"A request was answered"}')).toBe(true);
  expect(isRoutineLog('{"level":"DEBUG","message":"x"}')).toBe(true);
  expect(isRoutineLog('{"level":"WARN","message":"The disk is nearly full"}')).toBe(false);
  expect(isRoutineLog('APP_PORT is not a port')).toBe(false);
});
