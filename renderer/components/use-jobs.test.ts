import { expect, test } from 'vitest';
import type { Job } from '#contract';
import { lastFailure } from './use-jobs.ts';

function job(id: string, state: Job['state'], endedAt?: number): Job {
  return {
    id,
    kind: 'backup',
    title: 'Back up',
    state,
    phase: '',
    done: 0,
    unit: 'records',
    cancellable: false,
    startedAt: 0,
    ...(endedAt !== undefined && { endedAt }),
    correlationId: 'c',
  };
}

test('a failure is shown until a job ends well', () => {
  expect(lastFailure([job('a', 'failed', 1)])?.id).toBe('a');
  expect(lastFailure([job('b', 'interrupted', 2), job('a', 'succeeded', 1)])?.id).toBe('b');
  expect(lastFailure([job('b', 'succeeded', 2), job('a', 'failed', 1)])).toBeUndefined();
});

test('a running or a cancelled job says nothing of the one before', () => {
  expect(lastFailure([job('c', 'running'), job('b', 'cancelled', 3), job('a', 'failed', 1)])?.id).toBe('a');
  expect(lastFailure([])).toBeUndefined();
});
