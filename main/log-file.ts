/** The app's log on disk: a desktop app has no terminal. Imports nothing of Electron. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  /** Takes whole lines, each ending in a newline. Never throws: a log that cannot be written stops nothing. */
  write(line: string): void;
  close(): void;
}

/** Appends to `path`; when that would exceed `maxBytes`, the file becomes `<path>.1`, replacing the one before it. */
export function openLogFile(path: string, maxBytes = 10 * 1024 * 1024): LogFile {
  let descriptor: number | undefined;
  let size = 0;

  const open = () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    descriptor = openSync(path, 'a', 0o600);
    size = fstatSync(descriptor).size;
  };
  const close = () => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  };

  return {
    write(line) {
      try {
        if (descriptor === undefined) open();
        if (size > 0 && size + Buffer.byteLength(line) > maxBytes) {
          close();
          renameSync(path, `${path}.1`);
          open();
        }
        // Written at once: what was logged last before a crash is what the log is for.
        if (descriptor !== undefined) size += writeSync(descriptor, line);
      } catch {
        // A full or read-only disk: the storage says so in the console; the log has nowhere to say it.
      }
    },
    close,
  };
}
