import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { PRIVATE_FILE_MODE } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import { fieldsToText } from '../checked-input.ts';
import type { SnapshotRecord } from '../storage.ts';
import { type Disk, writeFully } from './disk.ts';
import { encodeDocument } from './document-file.ts';
import { documentPath, logPath } from './file-names.ts';
import { encodeEntry, encodeHeader, headerLength, seedOf } from './log-lines.ts';

/** Characters of lines that are collected before they are written. */
const WRITE_SIZE = 256 * 1024;

interface OpenLog {
  name: string;
  fd: number;
  seed: number;
  /** The number of its first entry; 0 as long as there is none. */
  first: number;
  last: number;
  size: number;
  lines: string;
}

/** Fills the folder of a generation with the records of a snapshot. Until it is sealed nothing of it is durable. */
export class GenerationBuilder {
  readonly folder: string;
  readonly #disk: Disk;
  #log: OpenLog | undefined;
  /** After an error, or half-way sealed, it can only be thrown away. */
  #broken = false;

  constructor(folder: string, disk: Disk) {
    this.folder = folder;
    this.#disk = disk;
    disk.makeFolder(folder);
  }

  /** Takes records that were checked to be in order; throws `storage.invalid` for one that is there twice. */
  write(records: SnapshotRecord[]): void {
    this.#check();
    try {
      for (const record of records) this.#add(record);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  /** Makes all of it durable. */
  seal(): void {
    this.#check();
    this.#broken = true;
    this.#finishLog();
    this.#sync(this.folder);
    this.#disk.syncFolders();
  }

  /** Lets go of the file that it is writing. */
  close(): void {
    this.#broken = true;
    if (this.#log !== undefined) fs.closeSync(this.#log.fd);
    this.#log = undefined;
  }

  #check(): void {
    if (this.#broken) throw fault('storage.failed', 'The generation could not be written; discard it.');
  }

  #add(record: SnapshotRecord): void {
    switch (record.kind) {
      case 'document': {
        const { collection, id, version, json, expiresAt = null } = record;
        const fields = fieldsToText(record.index);
        const { bytes } = encodeDocument({ collection, id, version, fields, expiresAt, json });
        const fd = this.#create(documentPath(collection, id), `The document ${collection}/${id}`);
        try {
          writeFully(fd, bytes, 0);
        } finally {
          fs.closeSync(fd);
        }
        return;
      }
      case 'log': {
        this.#finishLog();
        const { log: name, lastSequence: last } = record;
        const fd = this.#create(logPath(name), `The log ${name}`);
        this.#log = { name, fd, seed: seedOf(name), first: 0, last, size: headerLength(name), lines: '' };
        return;
      }
      case 'entry': {
        const log = this.#log;
        if (log === undefined) return;
        if (log.first === 0) log.first = record.sequence;
        log.lines += encodeEntry(log.seed, record.sequence, record.at, record.json);
        if (log.lines.length >= WRITE_SIZE) this.#flush(log);
      }
    }
  }

  #create(path: string, what: string): number {
    const file = join(this.folder, path);
    this.#disk.makeFolder(dirname(file));
    try {
      return fs.openSync(file, 'wx', PRIVATE_FILE_MODE);
    } catch (error) {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
      throw fault('storage.invalid', `${what} is there twice.`);
    }
  }

  #flush(log: OpenLog): void {
    const bytes = Buffer.from(log.lines);
    writeFully(log.fd, bytes, log.size);
    log.size += bytes.length;
    log.lines = '';
  }

  #finishLog(): void {
    const log = this.#log;
    if (log === undefined) return;
    this.#flush(log);
    const after = log.first === 0 ? log.last : log.first - 1;
    writeFully(log.fd, encodeHeader({ log: log.name, after, last: log.last, bytes: log.size }), 0);
    fs.closeSync(log.fd);
    this.#log = undefined;
  }

  #sync(folder: string): void {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) this.#sync(path);
      else this.#syncFile(path);
    }
    this.#disk.touched(folder);
  }

  #syncFile(path: string): void {
    const fd = fs.openSync(path, 'r+');
    try {
      this.#disk.sync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}
