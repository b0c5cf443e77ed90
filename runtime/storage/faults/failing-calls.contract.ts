import { execFile, spawnSync } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { quickFolder } from '../testing/quick-folder.ts';
import { caseFolder } from './case-folder.ts';
import { failingCallsEnvironment } from './failing-calls.ts';
import type { SweepReport } from './failing-calls-run.ts';
import { preloadMissing } from './preload-library.ts';
import type { FaultRig } from './rig-storage.ts';
import { faultSeed } from './seeded-random.ts';
import type { StraceReport } from './strace-run.ts';
import { Trial } from './trial.ts';

const run = promisify(execFile);

/**
 * System calls that nobody but the storage makes in these programs, so that strace, which counts those of a whole thread,
 * can fail every one of them. Every so-manieth is tried.
 */
const TRACED = [
  { calls: 'fsync,fdatasync', error: 'EIO', every: 1 },
  { calls: 'rename', error: 'ENOSPC', every: 1 },
  { calls: 'pwrite64', error: 'ENOSPC', every: 9 },
  { calls: 'ftruncate', error: 'EIO', every: 1 },
] as const;

/**
 * Every single call on the files of a storage fails once, and from every single one on all fail: each time the callers get
 * an error of the port, what was acknowledged is there, what was refused is there whole or not at all, and the storage
 * goes on when the disk does. Where every single one takes too long for a suite, only every so-manieth (`every`) is tried,
 * from one on that the seed chooses; with `FAULT_EVERY=1` all are. `without` names the calls that a storage never makes.
 * Our own library counts the calls on the data folder only, and over all threads, which strace cannot; strace fails what it
 * can, because no program gets past it. What fails is chosen here, and not by the disk: the data is kept in memory.
 */
export function describeFailingCalls(
  name: string,
  rig: FaultRig,
  { every: usual = 1, without }: { every?: number; without?: (typeof TRACED)[number]['calls'] } = {},
): void {
  const step = Number(process.env.FAULT_EVERY ?? usual);
  const first = 1 + (faultSeed() % step);
  describe(`${name}: failing calls`, () => {
    it.for([
      ['EIO', 'once'],
      ['ENOSPC', 'from then on'],
    ] as const)(
      `keeps its word when the k-th call fails with %s, %s, for k = ${first}, ${first + step}, …`,
      {
        timeout: 300_000,
      },
      async ([error, lasting], { skip }) => {
        const missing = preloadMissing();
        if (missing !== undefined) skip(missing);
        const folder = await caseFolder(`calls-${rig.type}`, quickFolder());
        const root = join(folder, 'data');
        const program = join(import.meta.dirname, 'failing-calls-run.ts');
        const sweep = [error, lasting, String(first), String(step)];
        const { stdout } = await run(process.execPath, [program, JSON.stringify(rig), root, ...sweep], {
          env: { ...process.env, ...failingCallsEnvironment(root, folder) },
        });
        const report = JSON.parse(stdout) as SweepReport;
        expect(report.problems).toEqual([]);
        // A sweep that met none of these would prove nothing.
        expect(Object.keys(report.failed)).toEqual(
          expect.arrayContaining(['open', 'write', 'sync', 'rename']),
        );
      },
    );

    it.for(TRACED.filter(({ calls }) => calls !== without))(
      'keeps its word when the kernel fails the k-th $calls with $error',
      {
        timeout: 300_000,
      },
      async ({ calls, error, every }, { skip }) => {
        const missing = straceMissing();
        if (missing !== undefined) skip(missing);
        const folder = await caseFolder(`strace-${rig.type}`, quickFolder());
        const trace = join(folder, 'trace');
        const program = join(import.meta.dirname, 'strace-run.ts');
        const problems: string[] = [];
        for (let k = 1; ; k += every) {
          const dataDir = join(folder, `k-${k}`);
          await mkdir(dataDir);
          const inject = `inject=${calls}:error=${error}:when=${k}`;
          const options = ['-f', '--seccomp-bpf', '-qq', '-o', trace, '-e', `trace=${calls}`, '-e', inject];
          const command = [...options, process.execPath, program, JSON.stringify(rig), dataDir];
          const { stdout } = await run('strace', command);
          const report = JSON.parse(stdout) as StraceReport;
          const check = new Trial(rig, dataDir, report.sent);
          await check.check();
          problems.push(...[...report.problems, ...check.problems].map((problem) => `k = ${k}: ${problem}`));
          if (!(await readFile(trace, 'utf8')).includes('INJECTED')) {
            // One that met none of these would prove nothing.
            expect(k).toBeGreaterThan(1);
            break;
          }
          if (problems.length === 0) await rm(dataDir, { recursive: true });
        }
        expect(problems).toEqual([]);
      },
    );
  });
}

/** Why strace cannot make system calls fail here, if so. */
function straceMissing(): string | undefined {
  const command = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true'];
  const tried = spawnSync('strace', command, { encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  return `strace cannot be used here: ${tried.error?.message ?? tried.stderr.trim()}`;
}
