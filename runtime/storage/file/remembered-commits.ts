import fs from 'node:fs';
import { join } from 'node:path';
import { REMEMBERED_COMMITS } from '../storage.ts';
import type { Disk } from './disk.ts';
import { fileName, idOfName } from './file-names.ts';
import type { FaultNotice, RememberedCommit } from './keeper-calls.ts';
import { LineScanner } from './line-scanner.ts';
import { decodeEntry, decodeHeader, encodeEntry, encodeHeader, headerLength, seedOf } from './log-lines.ts';
import { LogReader } from './log-reader.ts';

const ENDING = '.ndjson';
/** A writer that was not seen for so long is forgotten. */
const FORGOTTEN_AFTER_MS = 30 * 24 * 3_600_000;

/**
 * What the last named commits of each writer answered: a file a writer, in the form of a log whose numbers are those of
 * the commits. Only the file of a writer who committed is written, and then the whole of it.
 */
export class RememberedCommits {
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #writers = new Map<string, Map<number, RememberedCommit>>();

  constructor(folder: string, disk: Disk) {
    this.#folder = folder;
    this.#disk = disk;
  }

  /** Reads all files, and removes those of writers who are forgotten. */
  load(now: number, onFault: (fault: FaultNotice) => void): void {
    this.#writers.clear();
    const reader = new LogReader();
    for (const name of fs.readdirSync(this.#folder)) {
      if (!name.endsWith(ENDING)) continue;
      const path = join(this.#folder, name);
      // The names of writers may differ in case only; the first line of the file has the exact one.
      const writer = writerIn(path) ?? idOfName(name.slice(0, -ENDING.length)) ?? name;
      const commits = new Map<number, RememberedCommit>();
      const size = fs.statSync(path).size;
      reader.read(path, logOf(writer), size, EVERYTHING, {
        entry(bytes, start, end, encoding) {
          const { sequence: number, at, json } = decodeEntry(bytes, start, end, encoding);
          commits.set(number, { writer, number, at, answer: JSON.parse(json) as number[] });
          return true;
        },
        damaged(numbers) {
          for (const number of numbers) {
            const record = `commit ${writer}#${number}`;
            onFault({ record, message: `What the ${record} answered failed its checksum; it is forgotten.` });
          }
        },
      });
      const latest = Math.max(...[...commits.values()].map(({ at }) => at));
      if (latest < now - FORGOTTEN_AFTER_MS || commits.size === 0) this.#disk.remove(path);
      else this.#writers.set(writer, commits);
    }
    this.#disk.syncFolders();
  }

  all(): RememberedCommit[] {
    return [...this.#writers.values()].flatMap((commits) => [...commits.values()]);
  }

  /** Adds commits and makes them durable. */
  add(added: RememberedCommit[]): void {
    const changed = new Set<string>();
    for (const commit of added) {
      remember(this.#writers, commit);
      changed.add(commit.writer);
    }
    for (const writer of changed) this.#write(writer);
    this.#disk.syncFolders();
  }

  #write(writer: string): void {
    const commits = [...(this.#writers.get(writer)?.values() ?? [])].sort((a, b) => a.number - b.number);
    const log = logOf(writer);
    const seed = seedOf(log);
    const lines = commits.map(({ number, at, answer }) =>
      encodeEntry(seed, number, at, JSON.stringify(answer)),
    );
    const bytes = Buffer.from(lines.join(''));
    const size = headerLength(log) + bytes.length;
    this.#disk.replace(join(this.#folder, fileName(writer) + ENDING), (fd) => {
      this.#disk.write(fd, encodeHeader({ log, after: 0, last: 0, bytes: size }), 0);
      this.#disk.write(fd, bytes, headerLength(log));
    });
  }
}

/** Keeps the last {@link REMEMBERED_COMMITS} numbers of each writer. */
export function remember(
  writers: Map<string, Map<number, RememberedCommit>>,
  commit: RememberedCommit,
): void {
  let commits = writers.get(commit.writer);
  if (commits === undefined) {
    commits = new Map();
    writers.set(commit.writer, commits);
  }
  commits.set(commit.number, commit);
  commits.delete(commit.number - REMEMBERED_COMMITS);
  // Numbers that do not count up by one are not what the port asks for, and must not make it grow.
  if (commits.size > REMEMBERED_COMMITS) commits.delete(Math.min(...commits.keys()));
}

const EVERYTHING = { after: 0, through: Number.MAX_SAFE_INTEGER - 1, limit: Number.POSITIVE_INFINITY };

function writerIn(path: string): string | undefined {
  const fd = fs.openSync(path, 'r');
  try {
    const scanner = new LineScanner(fd, 0);
    const header = scanner.next() ? decodeHeader(scanner.line) : undefined;
    return header?.log.slice(logOf('').length);
  } finally {
    fs.closeSync(fd);
  }
}

function logOf(writer: string): string {
  return `commits/${writer}`;
}
