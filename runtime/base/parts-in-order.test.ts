import { describe, expect, it } from 'vitest';
import { partsInOrder } from './parts-in-order.ts';

function recorded(failing: { start?: string; stop?: string } = {}) {
  const log: string[] = [];
  const part = (name: string) => ({
    name,
    async start() {
      log.push(`start ${name}`);
      if (failing.start === name) throw new Error(`${name} does not start`);
    },
    async stop() {
      log.push(`stop ${name}`);
      if (failing.stop === name) throw new Error(`${name} does not stop`);
    },
  });
  const parts = partsInOrder([part('a'), part('b'), part('c')], (name) => log.push(`failed ${name}`));
  return { parts, log };
}

describe('parts in order', () => {
  it('start from below and stop from above', async () => {
    const { parts, log } = recorded();
    await parts.start();
    await parts.stop();
    expect(log).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  it('leave nothing started when one does not start', async () => {
    const { parts, log } = recorded({ start: 'b' });
    await expect(parts.start()).rejects.toThrow('b does not start');
    expect(log).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('stop although one does not', async () => {
    const { parts, log } = recorded({ stop: 'c' });
    await parts.stop();
    expect(log).toEqual(['stop c', 'failed c', 'stop b', 'stop a']);
  });
});
