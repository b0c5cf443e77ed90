import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { crashLoop } from './crash/crash-loop.ts';

it('loses nothing that was acknowledged in 25 kills at random moments under load', {
  timeout: 120_000,
}, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'storage-crash-'));
  const report = await crashLoop({ dataDir, cycles: 25, random: Math.random, longestMs: 300 });
  expect(report.problems).toEqual([]);
  expect(report.cycles).toHaveLength(25);
  // A writer that never got to write would prove nothing.
  expect(report.acknowledged).toBeGreaterThan(25);
  // Only after success: otherwise the data is the evidence.
  await rm(dataDir, { recursive: true });
});
