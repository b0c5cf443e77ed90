import { enableCompileCache } from 'node:module';
import { describe, expect, it } from 'vitest';
import type { Storage } from '../storage.ts';
import { quickFolder } from '../testing/quick-folder.ts';
import { caseFolder } from './case-folder.ts';
import { DamagedStore, type Place } from './damaged-store.ts';
import { REFERENCE_LOGS } from './reference-data.ts';
import type { FaultRig } from './rig-storage.ts';

/** Every byte is tried from here to the end of a file, … */
const EVERY_BYTE = 120;
/** … and before that, every so-manieth up to here. */
const FURTHER = 9_000;
const STEP = 607;
/** Of the files that grow at their end so many are torn. */
const FILES = 3;

/**
 * Files that grow at their end, such as journals and logs, cut off at every byte of their last records: what is before the
 * cut is read, what is behind it is either gone as a whole commit or told, and the next append is safe.
 */
export function describeTornTails(name: string, rig: FaultRig, growing: RegExp): void {
  describe(`${name}: torn tails`, () => {
    it('keeps everything before the tear, and goes on behind it', { timeout: 300_000 }, async () => {
      // Some hundred workers are started here.
      enableCompileCache();
      const store = new DamagedStore(rig, await caseFolder(`torn-${rig.type}`, quickFolder()));
      const places = tears(store, growing);
      expect(places.length).toBeGreaterThan(EVERY_BYTE);
      const problems: string[] = [];
      for (const place of places) {
        store.restore();
        store.truncate(place);
        const { wrong, refused, refusals } = await store.examine({
          mayRollBack: true,
          afterwards: appendProblems,
        });
        if (refused !== undefined) wrong.push(`open rejected ${refused}`);
        if (refusals > 0) wrong.push(`${refusals} calls were refused`);
        problems.push(...wrong.slice(0, 3).map((problem) => `${place.file}@${place.at}: ${problem}`));
      }
      expect(problems).toEqual([]);
    });
  });
}

function tears(store: DamagedStore, growing: RegExp): Place[] {
  const files = store.files
    .filter(({ file, size }) => growing.test(file) && size > 0)
    .sort((a, b) => b.size - a.size)
    .slice(0, FILES);
  return files.flatMap(({ file, size }) => {
    const places: Place[] = [];
    for (let at = size - 1; at >= Math.max(0, size - FURTHER); at -= size - at < EVERY_BYTE ? 1 : STEP) {
      places.push({ file, at });
    }
    return places;
  });
}

/** Appends to every log: the entry is there, behind all others, and under a number of its own. */
async function appendProblems(storage: Storage): Promise<string[]> {
  const problems: string[] = [];
  for (const log of REFERENCE_LOGS) {
    const [before] = await storage.read(log, { reverse: true, limit: 1 });
    const [result] = await storage.commit([{ kind: 'append', log, value: 'after the tear' }]);
    const [after] = await storage.read(log, { reverse: true, limit: 1 });
    const sequence = result?.sequence ?? 0;
    if (
      sequence <= (before?.sequence ?? 0) ||
      after?.sequence !== sequence ||
      after.value !== 'after the tear'
    ) {
      problems.push(`${log}: appended ${sequence} behind ${before?.sequence}, and found ${after?.sequence}`);
    }
  }
  return problems;
}
