import { describe, expect, it } from 'vitest';
import { caseFolder } from '../../faults/case-folder.ts';
import { faultSeed } from '../../faults/seeded-random.ts';
import { runStorm } from './storm.ts';
import type { StormAdapter } from './storm-instances.ts';

/** Long enough for each kind of process and server to have failed; a storm of an hour is `npm run storms`. */
const SECONDS = 3;

/** What must hold when several processes write at random and everything fails at random. */
export function describeStorm(adapter: StormAdapter): void {
  describe(`${adapter}: a storm`, () => {
    it('loses, halves, doubles and shows old nothing', { timeout: 120_000 }, async () => {
      const seed = faultSeed();
      const folder = await caseFolder(`storm-${adapter}`);
      const report = await runStorm({ adapter, seconds: SECONDS, seed, folder });
      expect(report.problems, `FAULT_SEED=${seed}`).toEqual([]);
      // A storm in which little failed, or nobody got to write or to read, would prove nothing.
      const failed = Object.values(report.faults).reduce((sum, times) => sum + times, 0);
      expect(failed).toBeGreaterThanOrEqual(3);
      expect(report.acknowledged).toBeGreaterThan(50);
      expect(report.reads).toBeGreaterThan(10);
    });
  });
}
