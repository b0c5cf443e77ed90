import { expect, test } from 'vitest';
import type { Job } from '#contract';
import { jobProgress } from './job-progress.ts';

function job(overrides: Partial<Job>): Job {
  return {
    id: 'j1',
    kind: 'backup',
    title: 'Back up',
    state: 'running',
    phase: 'writing',
    done: 0,
    unit: 'records',
    cancellable: true,
    startedAt: 10_000,
    correlationId: 'c',
    ...overrides,
  };
}

test('what is done, of how much', () => {
  expect(jobProgress(job({ done: 1200, total: 4800 }), 10_000)).toEqual({
    percent: 25,
    amount: '1,200 of 4,800 records',
    remaining: undefined,
  });
  expect(jobProgress(job({ done: 1536, total: 1_048_576, unit: 'bytes' }), 0).amount).toBe(
    '1.5 KiB of 1 MiB',
  );
  expect(jobProgress(job({ done: 1, total: 1, unit: 'steps' }), 0)).toMatchObject({
    percent: 100,
    amount: '1 of 1 step',
  });
});

test('without a total there is no percentage, and never more than 100', () => {
  expect(jobProgress(job({ done: 7 }), 0)).toMatchObject({ percent: undefined, amount: '7 records' });
  expect(jobProgress(job({ done: 0, total: 0 }), 0).percent).toBeUndefined();
  expect(jobProgress(job({ done: 12, total: 10 }), 0).percent).toBe(100);
});

test('the time that is left is told from three seconds on, while the job runs', () => {
  expect(jobProgress(job({ etaMs: 12_000 }), 12_999).remaining).toBeUndefined();
  expect(jobProgress(job({ etaMs: 12_000 }), 13_000).remaining).toBe('about 12 s left');
  expect(jobProgress(job({ etaMs: 20 }), 13_000).remaining).toBe('about 1 s left');
  expect(jobProgress(job({ etaMs: 12_000, state: 'succeeded' }), 13_000).remaining).toBeUndefined();
});
