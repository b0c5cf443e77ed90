import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { quickFolder } from '../testing/quick-folder.ts';
import type { BitFlipReport } from './bit-flips.ts';
import { caseFolder } from './case-folder.ts';
import type { FaultRig } from './rig-storage.ts';
import { faultSeed } from './seeded-random.ts';

const run = promisify(execFile);

const FLIPS = 10_000;
/** Processes that flip at the same time, each in a store of its own. */
const PROCESSES = 2;
const AT_A_TIME = 24;

/** Flipped bits all over what a storage has stored: none is served, none goes unnoticed, and all else can be read. */
export function describeBitFlips(name: string, rig: FaultRig): void {
  describe(`${name}: flipped bits`, () => {
    it(`serves nothing wrong and misses nothing silently in ${FLIPS} of them`, {
      timeout: 400_000,
    }, async () => {
      const seed = faultSeed();
      const folder = await caseFolder(`flips-${rig.type}`, quickFolder());
      const program = join(import.meta.dirname, 'bit-flips-run.ts');
      const reports = await Promise.all(
        Array.from({ length: PROCESSES }, async (_, i) => {
          const own = join(folder, String(i));
          await mkdir(own);
          const values = [FLIPS / PROCESSES, AT_A_TIME, seed + i].map(String);
          const { stdout } = await run(process.execPath, [program, JSON.stringify(rig), own, ...values], {
            env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') },
          });
          return JSON.parse(stdout) as BitFlipReport;
        }),
      );
      expect(
        reports.flatMap(({ problems }) => problems),
        `FAULT_SEED=${seed}`,
      ).toEqual([]);
      const sum = (outcome: keyof BitFlipReport['outcomes']) =>
        reports.reduce((total, { outcomes }) => total + outcomes[outcome], 0);
      expect(sum('nothing') + sum('record') + sum('calls') + sum('store')).toBe(FLIPS);
      // Most of what is stored are records: what hits them costs them alone, and not the store.
      expect(sum('record')).toBeGreaterThan(FLIPS / 2);
      expect(sum('store') + sum('calls')).toBeLessThan(FLIPS / 20);
    });
  });
}
