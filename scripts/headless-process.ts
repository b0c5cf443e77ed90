/** The headless runtime as a child of the scripts, and the one line that it prints when the console can be used. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const ROOT = join(import.meta.dirname, '..');
const READY = /^SmallTalk Console is ready at (http:\/\/\S+)$/;

/** The address, with its token, in a line that `runtime/headless.ts` printed; undefined for any other line. */
export function readyAddress(line: string): string | undefined {
  return READY.exec(line.trimEnd())?.[1];
}

/** True for a line of the log that only says that all goes well. */
export function isRoutineLog(line: string): boolean {
  return /^\{"level":"(?:DEBUG|INFO)"/.test(line);
}

/**
 * Starts `runtime/headless.ts`. What it prints is passed on line by line, but for the lines that `onLine` takes for
 * itself by answering true. On a terminal the routine part of the log is left out, unless its level was asked for: it
 * would push the address off the screen. `npm run serve` prints everything.
 */
export function startHeadlessProcess(options: {
  env: NodeJS.ProcessEnv;
  onLine: (line: string) => boolean;
}): ChildProcess {
  const child = spawn(process.execPath, [join(ROOT, 'runtime', 'headless.ts')], {
    cwd: ROOT,
    stdio: ['inherit', 'pipe', 'pipe'],
    env: options.env,
  });
  const leaveOutRoutine = process.stderr.isTTY === true && options.env.LOG_LEVEL === undefined;
  eachLine(child.stdout, (line) => {
    if (!options.onLine(line)) process.stdout.write(`${line}\n`);
  });
  eachLine(child.stderr, (line) => {
    if (!(leaveOutRoutine && isRoutineLog(line))) process.stderr.write(`${line}\n`);
  });
  return child;
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine);
}
