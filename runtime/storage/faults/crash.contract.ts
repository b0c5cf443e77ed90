import { describe, expect, it } from 'vitest';
import { caseFolder } from './case-folder.ts';
import { crashLoop } from './crash-loop.ts';
import type { FaultRig } from './rig-storage.ts';
import { faultSeed, seededRandom } from './seeded-random.ts';

const CYCLES = 50;

/** What SIGKILL must not do to the data of a storage. `npm run bench:crash` runs the same loop for as long as one likes. */
export function describeCrashes(name: string, rig: FaultRig): void {
  describe(`${name}: SIGKILL`, () => {
    it(`loses, halves or doubles nothing in ${CYCLES} kills at random moments under load`, {
      timeout: 180_000,
    }, async () => {
      const seed = faultSeed();
      const folder = await caseFolder(`crash-${rig.type}`);
      const report = await crashLoop({
        rig,
        folder,
        cycles: CYCLES,
        random: seededRandom(seed),
        longestMs: 300,
      });
      expect(report.problems, `FAULT_SEED=${seed}`).toEqual([]);
      expect(report.cycles).toHaveLength(CYCLES);
      // Writers that never got to write would prove nothing.
      expect(report.acknowledged).toBeGreaterThan(CYCLES);
    });
  });
}
