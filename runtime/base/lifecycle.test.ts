import { describe, expect, test } from 'vitest';
import { lifecycle } from './lifecycle.ts';

function recorded(options: { failStart?: number } = {}) {
  const calls: string[] = [];
  let failures = options.failStart ?? 0;
  const step = (name: string) => async () => {
    calls.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    if (name === 'start' && failures-- > 0) throw new Error('not yet');
    calls.push(`${name} ends`);
  };
  return { calls, service: lifecycle({ start: step('start'), stop: step('stop') }) };
}

describe('lifecycle', () => {
  test('calls in flight are shared, and a second start does nothing', async () => {
    const { calls, service } = recorded();
    await Promise.all([service.start(), service.start()]);
    await service.start();
    expect(calls).toEqual(['start begins', 'start ends']);
  });

  test('a stop waits for the start under way', async () => {
    const { calls, service } = recorded();
    await Promise.all([service.start(), service.stop(), service.stop()]);
    expect(calls).toEqual(['start begins', 'start ends', 'stop begins', 'stop ends']);
  });

  test('a stop of what was never started does nothing', async () => {
    const { calls, service } = recorded();
    await service.stop();
    expect(calls).toEqual([]);
  });

  test('a start that failed may be tried again', async () => {
    const { calls, service } = recorded({ failStart: 1 });
    await expect(service.start()).rejects.toThrow('not yet');
    await service.start();
    expect(calls).toEqual(['start begins', 'start begins', 'start ends']);
  });
});
