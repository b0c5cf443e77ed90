/**
 * The program that runs under `strace -e inject`: uses a storage once while system calls fail by their number, in each
 * thread anew. Arguments: the rig as JSON and the data folder. Prints a line of JSON: {@link StraceReport}.
 */
import { isCoded } from '../../base/errors.ts';
import type { FaultRig } from './rig-storage.ts';
import { type SentCommits, Trial } from './trial.ts';

export interface StraceReport {
  problems: string[];
  sent: SentCommits;
}

const [rig, dataDir] = process.argv.slice(2) as [string, string];
const trial = new Trial(JSON.parse(rig) as FaultRig, dataDir);
// strace cannot be told to stop; the number of the failing call passes by.
await trial
  .use(() => undefined)
  .catch((thrown: unknown) => trial.problems.push(`ended with ${String(thrown)}`));
for (const { what, thrown } of trial.refusals) {
  const typed =
    isCoded(thrown) && ['storage.failed', 'storage.full', 'storage.read_only'].includes(thrown.code);
  if (!typed) trial.problems.push(`${what} rejected with ${String(thrown)}`);
}
const report: StraceReport = { problems: trial.problems, sent: trial.sent() };
process.stdout.write(`${JSON.stringify(report)}\n`);
