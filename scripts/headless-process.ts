/** The headless runtime as a child of the scripts, and the one line that it prints when the console can be used. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const READY = /^SmallTalk Console is ready at (http:\/\/\S+)$/;

/** The address, with its token, in a line that `runtime/headless.ts` printed; undefined for any other line. */
export function readyAddress(line: string): string | undefined {
  return READY.exec(line.trimEnd())?.[1];
}

/**
 * Starts `runtime/headless.ts`. What it prints is passed on, but for the lines that `onLine` takes for itself by
 * answering true.
 */
export function startHeadlessProcess(options: {
  env: NodeJS.ProcessEnv;
  onLine: (line: string) => boolean;
}): ChildProcess {
  const child = spawn(process.execPath, [join(ROOT, 'runtime', 'headless.ts')], {
    cwd: ROOT,
    stdio: ['inherit', 'pipe', 'inherit'],
    env: options.env,
  });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (!options.onLine(line)) process.stdout.write(`${line}\n`);
  });
  return child;
}
