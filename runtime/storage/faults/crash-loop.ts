import { join } from 'node:path';
import type { StorageFault } from '../storage.ts';
import { ForgetfulDisk } from './power-cut.ts';
import { type FaultRig, openRig } from './rig-storage.ts';
import { Ledger } from './workload.ts';
import { type KillTime, writeAndKill } from './writer-process.ts';

export interface CrashCycle {
  cycle: number;
  /** One kill, or two: the second while the data of the first was being opened again. */
  kills: KillTime[];
  /** Commits that were acknowledged in this cycle. */
  acknowledged: number;
  /** Milliseconds that it took to open the data again. */
  reopenMs: number;
}

/** What was found wrong; an empty list is the only good one. */
export interface CrashReport {
  cycles: CrashCycle[];
  acknowledged: number;
  problems: string[];
}

export interface CrashLoopOptions {
  rig: FaultRig;
  /** Holds the data and the notes of the writers. */
  folder: string;
  cycles: number;
  /** From 0 up to but not including 1. */
  random: () => number;
  /** The longest that a writer may write, in milliseconds; how long it does is random. */
  longestMs: number;
  /** Cuts the power with each kill: of what was not synced, all is lost or, every second time, a part. */
  powerCut?: boolean;
  onCycle?: (cycle: CrashCycle, problems: string[]) => void;
}

/** A writer that is killed while it opens its data is killed within this many milliseconds of its first instruction. */
const START_MS = 300;
/** After so many cycles what was compared is removed, so that a long run does not grow without end. */
const FORGET_AFTER = 20;

/**
 * Kills a writer with SIGKILL at random moments, every third time kills the next one while it opens what the first left,
 * opens the data again, and compares it with what had been acknowledged: every acknowledged commit must be there, none
 * may be half there or there twice.
 */
export async function crashLoop(options: CrashLoopOptions): Promise<CrashReport> {
  const { rig, folder, random } = options;
  const dataDir = join(folder, 'data');
  const noteFile = join(folder, 'notes');
  const disk = options.powerCut === true ? new ForgetfulDisk(dataDir, folder) : undefined;
  const ledger = new Ledger();
  const report: CrashReport = { cycles: [], acknowledged: 0, problems: [] };
  for (let cycle = 1; cycle <= options.cycles; cycle++) {
    const kills: KillTime[] = [{ during: 'writing', afterMs: Math.floor(random() * options.longestMs) }];
    if (cycle % 3 === 0) kills.push({ during: 'start', afterMs: Math.floor(random() * START_MS) });
    let acknowledged = 0;
    for (const [i, kill] of kills.entries()) {
      const run = `${cycle}-${i}`;
      await disk?.sync();
      const env = disk?.environment ?? {};
      acknowledged += ledger.take(await writeAndKill({ rig, dataDir, noteFile, run, kill, env }));
      await disk?.cut(cycle % 2 === 0 ? 'some' : 'all', random);
    }
    const begun = performance.now();
    const faults: StorageFault[] = [];
    const storage = await openRig(rig, dataDir, faults);
    const reopenMs = performance.now() - begun;
    const problems = await ledger.verify(storage);
    if (cycle % FORGET_AFTER === 0) await ledger.forget(storage);
    await storage.close();
    // A journal that was torn is told when a kill or a cut may have done it; that it took nothing is verified above.
    const torn = disk === undefined ? 'A kill' : /A kill|A power cut/;
    const unexpected = faults.filter(({ message }) => message.search(torn) < 0);
    problems.push(...unexpected.map(({ message }) => message));
    const done: CrashCycle = { cycle, kills, acknowledged, reopenMs };
    report.cycles.push(done);
    report.acknowledged += acknowledged;
    report.problems.push(...problems.map((problem) => `cycle ${cycle}: ${problem}`));
    options.onCycle?.(done, problems);
    // What is there now is the evidence.
    if (problems.length > 0) break;
  }
  return report;
}
