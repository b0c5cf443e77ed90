/**
 * The program of the sweep over failing calls: for k = 1, 2, 3, … it uses a storage in a fresh folder while the k-th call on
 * its files fails, until k is greater than the number of calls that there are. Arguments: the rig as JSON, the folder to
 * work in, the error, `once` or `from then on`, the first k, and the step from one to the next. Prints a line of JSON: {@link SweepReport}.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isCoded } from '../../base/errors.ts';
import { FailingCalls, type FailingError } from './failing-calls.ts';
import type { FaultRig } from './rig-storage.ts';
import { Trial } from './trial.ts';

export interface SweepReport {
  /** How many calls were made to fail, by what they were. */
  failed: Record<string, number>;
  problems: string[];
}

const [rigJson, folder, error, lasting, first, step] = process.argv.slice(2) as [
  string,
  string,
  FailingError,
  string,
  string,
  string,
];
const rig = JSON.parse(rigJson) as FaultRig;
const sticky = lasting === 'from then on';
const calls = new FailingCalls();
const report: SweepReport = { failed: {}, problems: [] };

/** Whether there was a call with that number. */
async function sweepOne(k: number): Promise<boolean> {
  const dataDir = join(folder, `k-${k}`);
  mkdirSync(dataDir);
  const trial = new Trial(rig, dataDir);
  calls.arm(k, error, sticky);
  const ended = (thrown: unknown) => trial.problems.push(`ended with ${String(thrown)}`);
  await trial.use(() => calls.disarm()).catch(ended);
  const { failed } = calls.disarm();
  const refusals = trial.refusals.splice(0);
  trial.problems.push(...refusals.flatMap(({ what, thrown }) => refusalProblem(what, thrown, failed)));
  await trial.check().catch(ended);
  report.problems.push(...trial.problems.map((problem) => `k = ${k} (${failed}): ${problem}`));
  if (trial.problems.length === 0) rmSync(dataDir, { recursive: true });
  if (failed === undefined) return false;
  const kind = failed.split(' ')[0] as string;
  report.failed[kind] = (report.failed[kind] ?? 0) + 1;
  return true;
}

/**
 * A refusal must have the code that fits. Where a library in between does not pass the system's error on (SQLite when it
 * cannot open a file or make its shared memory), or where later calls fail as well, any of those that tell the user to
 * look after the disk will do.
 */
function refusalProblem(what: string, thrown: unknown, failed: string | undefined): string[] {
  const known = failed !== undefined && /^(write|truncate|sync) .*(?<!-shm)$/.test(failed) && !sticky;
  const fitting = error === 'ENOSPC' ? ['storage.full'] : ['storage.failed'];
  const allowed = known ? fitting : ['storage.failed', 'storage.full', 'storage.read_only'];
  return failed !== undefined && isCoded(thrown) && allowed.includes(thrown.code)
    ? []
    : [`${what} rejected with ${isCoded(thrown) ? thrown.code : 'no code'}: ${String(thrown)}`];
}

mkdirSync(folder, { recursive: true });
for (let k = Number(first); await sweepOne(k); k += Number(step));
process.stdout.write(`${JSON.stringify(report)}\n`);
