import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCodeOf } from '../../base/errors.ts';
import type { Disk } from './disk.ts';
import { encodeDocument } from './document-file.ts';
import { documentPath, logPath } from './file-names.ts';
import type { Change } from './journal-frames.ts';
import type { CarriedOut, FaultNotice, ScannedLog } from './keeper-calls.ts';
import { encodeEntry, encodeHeader, headerLength, seedOf } from './log-lines.ts';
import { LogReader } from './log-reader.ts';

/** A log up to this size is written anew by each trim; of a larger one the trimmed part goes when it is half of the file. */
const REWRITTEN_AT_ONCE = 1024 * 1024;
/** Bytes of lines that are collected before they are written. */
const WRITE_SIZE = 1024 * 1024;

type Put = Extract<Change, { kind: 'put' }>;
type Append = Extract<Change, { kind: 'append' }>;

interface LogChanges {
  appends: Append[];
  trim: { through: number; last: number } | undefined;
}

/** The files of one generation, and how changes are carried out in them. */
export class GenerationFiles {
  readonly folder: string;
  readonly #disk: Disk;
  /** Where former bytes are kept for snapshots. */
  readonly #keptFolder: string;
  /** Where damaged bytes go. */
  readonly #asideFolder: string;
  readonly #logs = new Map<string, ScannedLog>();
  readonly #reader = new LogReader();
  #sizeBytes: number;
  #lastKept = 0;
  #report: CarriedOut;

  constructor(options: {
    folder: string;
    disk: Disk;
    keptFolder: string;
    asideFolder: string;
    logs: ScannedLog[];
    sizeBytes: number;
  }) {
    this.folder = options.folder;
    this.#disk = options.disk;
    this.#keptFolder = options.keptFolder;
    this.#asideFolder = options.asideFolder;
    for (const log of options.logs) this.#logs.set(log.log, { ...log });
    this.#sizeBytes = options.sizeBytes;
    this.#report = this.#newReport();
  }

  logs(): ScannedLog[] {
    return [...this.#logs.values()];
  }

  /**
   * Carries out changes and makes them durable. Only the last change of a document is; of a log all appends together. After
   * a failure part of it may be done: doing all of it again is right, but only after the files were looked at anew.
   */
  carryOut(changes: Change[], keep: boolean): CarriedOut {
    this.#report = this.#newReport();
    const { documents, logs } = gather(changes);
    for (const change of documents.values()) {
      if (change.kind === 'put') this.#put(change, keep);
      else this.#remove(change.collection, change.id, keep);
    }
    for (const [log, gathered] of logs) this.#changeLog(log, gathered, keep);
    this.#disk.finishPrepared();
    this.#disk.syncFolders();
    this.#report.sizeBytes = this.#sizeBytes;
    return this.#report;
  }

  /** Writes a log anew without what is damaged in it, which is set aside. */
  mend(log: string, keep: boolean): CarriedOut {
    this.#report = this.#newReport();
    const state = this.#logs.get(log);
    if (state !== undefined) this.#rewrite(state, keep);
    this.#disk.syncFolders();
    this.#report.sizeBytes = this.#sizeBytes;
    return this.#report;
  }

  /** Moves a file to the damaged ones. */
  setAside(path: string): void {
    const file = join(this.folder, path);
    this.#sizeBytes -= sizeOf(file);
    const aside = this.#asidePath(path);
    this.#disk.makeFolder(dirname(aside));
    this.#disk.rename(file, aside);
    this.#disk.syncFolders();
  }

  /** Makes sure that a log goes on counting from `last` at least. */
  advance(log: string, last: number): void {
    const state = this.#logs.get(log) ?? this.#newLog(log);
    if (state.last >= last) return;
    // Nothing was ever there with the numbers in between; where there are no entries, all are taken for trimmed.
    if (state.last === state.after) state.after = last;
    state.last = last;
    this.#writeHeader(state);
  }

  syncFolders(): void {
    this.#disk.syncFolders();
  }

  #put(put: Put, keep: boolean): void {
    const path = documentPath(put.collection, put.id);
    const file = join(this.folder, path);
    const { bytes, crc } = encodeDocument(put);
    this.#report.documents.push([put.collection, put.id, crc]);
    if (sizeOf(file) === bytes.length && fs.readFileSync(file).equals(bytes)) {
      // Carried out before, by a process that did not get to say so. It may not have got to the sync of the folder, either.
      this.#disk.touched(dirname(file));
      return;
    }
    this.#sizeBytes += bytes.length - sizeOf(file);
    if (keep) this.#keep(path);
    this.#disk.prepare(file, (fd) => this.#disk.write(fd, bytes, 0));
  }

  #remove(collection: string, id: string, keep: boolean): void {
    const path = documentPath(collection, id);
    const file = join(this.folder, path);
    this.#sizeBytes -= sizeOf(file);
    if (keep) this.#keep(path);
    this.#disk.remove(file);
    if (collection === 'sessions') this.#disk.removeFolderIfEmpty(dirname(file));
  }

  #changeLog(log: string, { appends, trim }: LogChanges, keep: boolean): void {
    const state = this.#logs.get(log) ?? this.#newLog(log);
    const fresh = appends.filter(({ sequence }) => sequence > state.last);
    if (trim !== undefined) state.last = Math.max(state.last, trim.last);
    if (fresh.length > 0) this.#append(state, fresh);
    if (trim !== undefined && trim.through > state.after) this.#trim(state, trim.through, keep);
    this.#report.logs.push([log, state.last, state.size]);
  }

  #append(state: ScannedLog, appends: Append[]): void {
    const path = join(this.folder, logPath(state.log));
    const before = state.size;
    const write = (fd: number) => {
      state.size = this.#writeEntries(fd, state, appends);
      this.#disk.write(fd, encodeHeader({ ...state, bytes: state.size }), 0);
    };
    if (before === 0) this.#disk.prepare(path, write);
    else this.#disk.change(path, write);
    this.#sizeBytes += state.size - before;
  }

  /** Writes lines behind those that are there; answers the new size. */
  #writeEntries(fd: number, state: ScannedLog, appends: Append[]): number {
    const seed = seedOf(state.log);
    let position = state.size === 0 ? headerLength(state.log) : state.size;
    let lines = '';
    const flush = () => {
      const bytes = Buffer.from(lines);
      this.#disk.write(fd, bytes, position);
      position += bytes.length;
      lines = '';
    };
    for (const { sequence, at, json } of appends) {
      lines += encodeEntry(seed, sequence, at, json);
      state.last = sequence;
      if (lines.length >= WRITE_SIZE) flush();
    }
    if (lines !== '') flush();
    return position;
  }

  #trim(state: ScannedLog, through: number, keep: boolean): void {
    // It may be one that is being made.
    this.#disk.finishPrepared();
    state.after = Math.min(through, state.last);
    if (state.size === 0) {
      this.#writeHeader(state);
      return;
    }
    if (state.size > REWRITTEN_AT_ONCE && state.after < state.last && !this.#halfIsTrimmed(state)) {
      this.#writeHeader(state);
    } else this.#rewrite(state, keep);
  }

  #halfIsTrimmed({ log, after, size }: ScannedLog): boolean {
    return this.#withFile(join(this.folder, logPath(log)), 'r', (fd) => {
      return this.#reader.positionAfter(fd, log, after) > size / 2;
    });
  }

  /** Changes the numbers in the first line in place: the journal has them as well until they are synced. */
  #writeHeader(state: ScannedLog): void {
    const path = join(this.folder, logPath(state.log));
    if (state.size === 0) {
      state.size = headerLength(state.log);
      this.#sizeBytes += state.size;
      this.#disk.replace(path, (fd) => {
        this.#disk.write(fd, encodeHeader({ ...state, bytes: state.size }), 0);
      });
      return;
    }
    this.#withFile(path, 'r+', (fd) => {
      this.#disk.write(fd, encodeHeader({ ...state, bytes: state.size }), 0);
      this.#disk.sync(fd);
    });
  }

  /** Puts a new file with what is whole and not trimmed in the place of the log's. */
  #rewrite(state: ScannedLog, keep: boolean): void {
    const path = logPath(state.log);
    const file = join(this.folder, path);
    const damaged: Buffer[] = [];
    if (keep) this.#keep(path);
    let position = headerLength(state.log);
    this.#disk.replace(file, (fd) => {
      const before = fs.existsSync(file) ? fs.openSync(file, 'r') : undefined;
      try {
        if (before !== undefined && state.after < state.last) {
          position = this.#copyEntries(before, fd, state, damaged);
        }
      } finally {
        if (before !== undefined) fs.closeSync(before);
      }
      this.#disk.write(fd, encodeHeader({ ...state, bytes: position }), 0);
    });
    this.#sizeBytes += position - state.size;
    state.size = position;
    if (damaged.length > 0) this.writeAside(path, damaged);
    this.#report.logs.push([state.log, state.last, state.size]);
  }

  #copyEntries(from: number, to: number, state: ScannedLog, damaged: Buffer[]): number {
    let position = headerLength(state.log);
    let lines: Buffer[] = [];
    let length = 0;
    const flush = () => {
      this.#disk.write(to, Buffer.concat(lines), position);
      position += length;
      lines = [];
      length = 0;
    };
    const range = { after: state.after, through: state.last, limit: Number.POSITIVE_INFINITY };
    this.#reader.readOpen(from, state.log, state.size, range, {
      entry(bytes, start, end) {
        const line = Buffer.allocUnsafe(end - start + 1);
        bytes.copy(line, 0, start, end);
        line[end - start] = 0x0a;
        lines.push(line);
        length += line.length;
        if (length >= WRITE_SIZE) flush();
        return true;
      },
      damaged: (sequences, line) => {
        damaged.push(line);
        for (const sequence of sequences) this.#report.faults.push(damagedEntry(state.log, sequence));
      },
    });
    if (length > 0) flush();
    return position;
  }

  /** Puts damaged bytes of a file to the damaged files. */
  writeAside(path: string, lines: Buffer[]): void {
    const bytes = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    this.#disk.replace(this.#asidePath(path), (fd) => this.#disk.write(fd, bytes, 0));
    this.#disk.syncFolders();
  }

  #keep(path: string): void {
    const file = join(this.folder, path);
    this.#lastKept += 1;
    const kept = join(this.#keptFolder, String(this.#lastKept));
    try {
      this.#disk.keepAs(file, kept);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return;
      throw error;
    }
    this.#report.kept.push([path, kept]);
  }

  /** A name among the damaged files that is not taken. */
  #asidePath(path: string): string {
    for (let i = 1; ; i++) {
      const aside = join(this.#asideFolder, `${path}.${i}`);
      if (!fs.existsSync(aside)) return aside;
    }
  }

  #newLog(log: string): ScannedLog {
    const state = { log, after: 0, last: 0, size: 0 };
    this.#logs.set(log, state);
    return state;
  }

  #newReport(): CarriedOut {
    return { documents: [], logs: [], kept: [], sizeBytes: 0, faults: [] };
  }

  #withFile<T>(path: string, flags: string, work: (fd: number) => T): T {
    const fd = fs.openSync(path, flags, 0o600);
    try {
      return work(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

export function damagedEntry(log: string, sequence: number): FaultNotice {
  const record = `entry ${log}#${sequence}`;
  return { record, message: `The ${record} failed its checksum; it was set aside and is not served.` };
}

function gather(changes: Change[]) {
  const documents = new Map<string, Extract<Change, { kind: 'put' | 'delete' }>>();
  const logs = new Map<string, LogChanges>();
  for (const change of changes) {
    if (change.kind === 'put' || change.kind === 'delete') {
      documents.set(`${change.collection}/${change.id}`, change);
      continue;
    }
    let gathered = logs.get(change.log);
    if (gathered === undefined) {
      gathered = { appends: [], trim: undefined };
      logs.set(change.log, gathered);
    }
    if (change.kind === 'append') gathered.appends.push(change);
    else if (gathered.trim === undefined || change.through >= gathered.trim.through) {
      gathered.trim = { through: change.through, last: Math.max(change.last, gathered.trim?.last ?? 0) };
    }
  }
  return { documents, logs };
}

function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
