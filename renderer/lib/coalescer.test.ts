import { beforeEach, describe, expect, it } from 'vitest';
import { createCoalescer } from './coalescer.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the coalescer', () => {
  let due: { callback: () => void; cancelled: boolean }[];
  let runs: string[];
  let finish: Map<string, (() => void)[]>;
  let coalescer: ReturnType<typeof createCoalescer>;

  beforeEach(() => {
    due = [];
    runs = [];
    finish = new Map();
    coalescer = createCoalescer({
      intervalMs: 250,
      schedule(callback, delayMs) {
        expect(delayMs).toBe(250);
        const timer = { callback, cancelled: false };
        due.push(timer);
        return () => {
          timer.cancelled = true;
        };
      },
    });
  });

  /** Work that ends when `end(name)` is called. */
  const work = (name: string) => (): Promise<void> => {
    runs.push(name);
    return new Promise((resolve) => {
      const waiting = finish.get(name) ?? [];
      finish.set(name, [...waiting, resolve]);
    });
  };
  const end = async (name: string): Promise<void> => {
    finish.get(name)?.shift()?.();
    await settle();
  };
  const tick = async (): Promise<void> => {
    for (const timer of due.splice(0)) if (!timer.cancelled) timer.callback();
    await settle();
  };

  it('runs the first request at once and a burst behind it once', async () => {
    coalescer.request('sessions', work('first'));
    for (let index = 0; index < 100; index += 1) coalescer.request('sessions', work(`later ${index}`));
    expect(runs).toEqual(['first']);
    await end('first');
    expect(runs).toEqual(['first']);
    await tick();
    expect(runs).toEqual(['first', 'later 99']);
  });

  it('never overlaps slow work with the next of the same key', async () => {
    coalescer.request('sessions', work('slow'));
    coalescer.request('sessions', work('next'));
    await tick();
    expect(runs).toEqual(['slow']);
    await end('slow');
    expect(runs).toEqual(['slow', 'next']);
  });

  it('keeps keys apart', () => {
    coalescer.request('sessions', work('sessions'));
    coalescer.request('agents', work('agents'));
    expect(runs).toEqual(['sessions', 'agents']);
  });

  it('goes on after work that failed', async () => {
    coalescer.request('sessions', () => Promise.reject(new Error('broken')));
    coalescer.request('sessions', work('next'));
    await settle();
    await tick();
    expect(runs).toEqual(['next']);
  });

  it('is at rest again when nothing more was asked for', async () => {
    coalescer.request('sessions', work('one'));
    await end('one');
    await tick();
    coalescer.request('sessions', work('two'));
    expect(runs).toEqual(['one', 'two']);
  });

  it('forgets what has not begun when it is stopped', async () => {
    coalescer.request('sessions', work('one'));
    coalescer.request('sessions', work('two'));
    coalescer.stop();
    await end('one');
    await tick();
    expect(runs).toEqual(['one']);
  });
});
