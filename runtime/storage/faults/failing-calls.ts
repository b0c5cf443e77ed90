import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { compilePreload } from './preload-library.ts';

export type FailingError = 'EIO' | 'ENOSPC';

/** Five numbers of eight bytes, then text: `control` in `failing-calls.c`. */
const CONTROL_SIZE = 4096;
const WHAT = 40;

/** What a process needs in its environment so that its calls on the files below `root` can be made to fail. */
export function failingCallsEnvironment(root: string, beside: string): Record<string, string> {
  const control = join(beside, 'control');
  writeFileSync(control, Buffer.alloc(CONTROL_SIZE));
  return {
    LD_PRELOAD: compilePreload('failing-calls', beside),
    FAILING_CALLS_ROOT: root,
    FAILING_CALLS_CONTROL: control,
  };
}

/** The other end of it, in that process. */
export class FailingCalls {
  readonly #control = openSync(process.env.FAILING_CALLS_CONTROL ?? '', 'r+');

  /** From now on calls are counted from 1, and the one with this number fails; with `sticky` all that follow it, too. */
  arm(number: number, error: FailingError, sticky: boolean): void {
    const control = Buffer.alloc(CONTROL_SIZE);
    const values = [number, constants.errno[error], sticky ? 1 : 0];
    for (const [i, value] of values.entries()) control.writeBigInt64LE(BigInt(value), i * 8);
    writeSync(this.#control, control, 0, control.length, 0);
  }

  /** Nothing fails any more. Answers how many calls there were, and which was the first that failed, if one did. */
  disarm(): { calls: number; failed: string | undefined } {
    writeSync(this.#control, Buffer.alloc(8), 0, 8, 0);
    const control = Buffer.alloc(CONTROL_SIZE);
    readSync(this.#control, control, 0, control.length, 0);
    const what = control.toString('utf8', WHAT, control.indexOf(0, WHAT));
    return { calls: Number(control.readBigInt64LE(24)), failed: what === '' ? undefined : what };
  }

  close(): void {
    closeSync(this.#control);
  }
}
