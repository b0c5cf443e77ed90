import { describe, expect, it } from 'vitest';
import { caseFolder } from './case-folder.ts';
import { crashLoop } from './crash-loop.ts';
import { preloadMissing } from './preload-library.ts';
import type { FaultRig } from './rig-storage.ts';
import { faultSeed, seededRandom } from './seeded-random.ts';

const CYCLES = 20;

/** What a power cut must not do to the data of a storage that keeps files. */
export function describePowerCuts(name: string, rig: FaultRig): void {
  describe(`${name}: power cut`, () => {
    it(`loses, halves or doubles nothing in ${CYCLES} cuts at random moments under load`, {
      timeout: 180_000,
    }, async ({ skip }) => {
      const missing = preloadMissing();
      if (missing !== undefined) skip(missing);
      const seed = faultSeed();
      const folder = await caseFolder(`power-cut-${rig.type}`);
      const report = await crashLoop({
        rig,
        folder,
        cycles: CYCLES,
        random: seededRandom(seed),
        longestMs: 300,
        powerCut: true,
      });
      expect(report.problems, `FAULT_SEED=${seed}`).toEqual([]);
      expect(report.cycles).toHaveLength(CYCLES);
      // Writers that never got to write would prove nothing.
      expect(report.acknowledged).toBeGreaterThan(CYCLES);
    });
  });
}
