import fs from 'node:fs';
import { join } from 'node:path';
import { makePrivateFolder } from '../../base/durable-file.ts';
import { isCoded } from '../../base/errors.ts';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import { OwnerLock } from '../owner-lock.ts';
import type { Generation, SnapshotRecord } from '../storage.ts';
import { Disk } from './disk.ts';
import { decodeHead, isWholeDocument } from './document-file.ts';
import { documentPath, logPath } from './file-names.ts';
import { scanGeneration } from './folder-scan.ts';
import { GenerationBuilder } from './generation-builder.ts';
import { GenerationFiles } from './generation-files.ts';
import { GenerationFolders } from './generation-folders.ts';
import { JournalFolder } from './journal-folder.ts';
import type { Change, JournalCommit } from './journal-frames.ts';
import type {
  CarriedOut,
  CarryOutRequest,
  FaultNotice,
  KeeperCalls,
  OpenedStorage,
  RememberedCommit,
  ScannedGeneration,
  ScannedLog,
} from './keeper-calls.ts';
import { cutForReplay } from './log-repair.ts';
import { RememberedCommits } from './remembered-commits.ts';
import { setStoreAside } from './store-aside.ts';

/**
 * Keeps the files of a storage: brings them in order at the start, and carries out in them what was committed to the
 * journal. Works synchronously on the disk, and so belongs into a thread of its own. Throws system errors and those of the
 * port; after one from `carryOut` or `mendLog` nothing works but `recover`.
 */
export class FileKeeper {
  readonly #path: string;
  readonly #disk: Disk;
  readonly #journal: JournalFolder;
  readonly #remembered: RememberedCommits;
  readonly #builders = new Map<string, { builder: GenerationBuilder; createdAt: number; reason: string }>();
  #lock: OwnerLock | undefined;
  #folders: GenerationFolders | undefined;
  #files: GenerationFiles | undefined;
  #openedAt = 0;

  constructor(path: string, disk = new Disk()) {
    this.#path = path;
    this.#disk = disk;
    this.#journal = new JournalFolder(join(path, 'journal'), disk);
    this.#remembered = new RememberedCommits(join(path, 'commits'), disk);
  }

  async open({ now, setCorruptAside }: KeeperCalls['open']['input']): Promise<OpenedStorage> {
    this.#openedAt = now;
    await makePrivateFolder(this.#path);
    this.#lock = await OwnerLock.take(this.#path);
    try {
      let setAside: string | undefined;
      try {
        this.#folders = await GenerationFolders.open(this.#path, now);
      } catch (error) {
        if (!setCorruptAside || !isCoded(error, 'storage.corrupt')) throw error;
        setAside = await setStoreAside(this.#path, now);
        this.#folders = await GenerationFolders.open(this.#path, now);
      }
      for (const folder of ['journal', 'commits']) await makePrivateFolder(join(this.#path, folder));
      const opened = this.#bringInOrder();
      return setAside === undefined ? opened : { ...opened, setAside };
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async recover(): Promise<OpenedStorage> {
    this.#files = undefined;
    this.#disk.forget();
    await this.#require(this.#folders).reread();
    return this.#bringInOrder();
  }

  carryOut({ segments, remove, spares, keep }: CarryOutRequest): KeeperCalls['carryOut']['output'] {
    const commits = segments.flatMap(({ number, from, through }) => {
      const { commits, damaged, tornBytes } = this.#journal.readPart(number, from, through);
      if (damaged.length === 0 && tornBytes === 0) return commits;
      throw fault('storage.failed', 'The journal was changed while it was in use.');
    });
    const report = this.#inUse(() => this.#carryOut(this.#require(this.#files), commits, keep));
    if (spares === 'none') this.#journal.removeSpares();
    this.#journal.remove(remove);
    return {
      ...report,
      spares: spares === 'none' ? [] : this.#journal.makeSpares(spares.count, spares.bytes),
    };
  }

  setDocumentAside({ collection, id, crc }: { collection: string; id: string; crc: number }): null {
    const files = this.#require(this.#files);
    const path = documentPath(collection, id);
    const file = join(files.folder, path);
    if (!fs.existsSync(file)) return null;
    const bytes = fs.readFileSync(file);
    const head = isWholeDocument(bytes) ? decodeHead(bytes) : undefined;
    if (head === undefined || head === 'more' || head.crc !== crc) files.setAside(path);
    return null;
  }

  mendLog({ log }: { log: string }): CarriedOut {
    // Always with the former file kept: a snapshot may be reading it.
    return this.#inUse(() => this.#require(this.#files).mend(log, true));
  }

  releaseKept(): null {
    fs.rmSync(this.#keptFolder, { recursive: true, force: true });
    this.#disk.forget();
    return null;
  }

  listGenerations(): Generation[] {
    return this.#require(this.#folders).list();
  }

  /** A generation that is not the active one. */
  scan({ id }: { id: string }): ScannedGeneration {
    const folders = this.#require(this.#folders);
    folders.require(id);
    return scanGeneration(folders.folderOf(id), this.#disk, this.#asideFolder(id));
  }

  createGeneration({ reason, now }: { reason: string; now: number }): string {
    const id = timeOrderedId(now, randomId);
    const builder = new GenerationBuilder(this.#require(this.#folders).folderOf(id), this.#disk);
    this.#builders.set(id, { builder, createdAt: now, reason });
    return id;
  }

  writeGeneration({ id, records }: { id: string; records: SnapshotRecord[] }): null {
    this.#builder(id).builder.write(records);
    return null;
  }

  async sealGeneration({ id }: { id: string }): Promise<null> {
    const { builder, createdAt, reason } = this.#builder(id);
    builder.seal();
    await this.#require(this.#folders).add({ id, createdAt, reason });
    this.#builders.delete(id);
    return null;
  }

  async discardGeneration({ id }: { id: string }): Promise<null> {
    const found = this.#builders.get(id);
    if (found === undefined) return null;
    this.#builders.delete(id);
    found.builder.close();
    const folders = this.#require(this.#folders);
    // When sealing failed at its very end, only the disk can tell whether it has a name now.
    await folders.reread();
    if (folders.has(id)) await folders.drop(id);
    else await folders.remove(id);
    return null;
  }

  async activateGeneration({
    id,
    now,
    counters,
  }: {
    id: string;
    now: number;
    counters: [log: string, last: number][];
  }): Promise<ScannedGeneration | null> {
    const folders = this.#require(this.#folders);
    folders.require(id);
    if (id === folders.active) return null;
    const next = this.#filesOf(id, this.scan({ id }));
    for (const [log, last] of counters) next.files.advance(log, last);
    next.files.syncFolders();
    await folders.point(id, now);
    this.#files = next.files;
    return { ...next.scan, logs: next.files.logs() };
  }

  async dropGeneration({ id }: { id: string }): Promise<null> {
    const folders = this.#require(this.#folders);
    folders.require(id);
    if (id === folders.active) throw fault('storage.invalid', 'The active generation cannot be dropped.');
    await folders.drop(id);
    return null;
  }

  close(): null {
    for (const { builder } of this.#builders.values()) builder.close();
    this.#builders.clear();
    this.#files = undefined;
    this.#lock?.release();
    this.#lock = undefined;
    return null;
  }

  /** Carries out what the journal holds, empties it, and looks at every file. */
  #bringInOrder(): OpenedStorage {
    const { active, folderOf } = this.#bound();
    fs.rmSync(this.#keptFolder, { recursive: true, force: true });
    const faults: FaultNotice[] = [];
    const onFault = (fault: FaultNotice) => faults.push(fault);
    this.#journal.removeSpares();
    this.#remembered.load(this.#openedAt, onFault);
    const carried = this.#journal.carriedOut();
    const numbers = this.#journal.segments();
    let serial = carried;
    let torn = 0;
    for (const [i, number] of numbers.entries()) {
      const { commits, tornBytes } = this.#readSegment(number, numbers[i + 1], onFault);
      torn += tornBytes;
      const pending = commits.filter((commit) => commit.serial > carried);
      if (pending.length > 0) this.#replay(folderOf(active), pending, onFault);
      serial = Math.max(serial, pending.at(-1)?.serial ?? 0);
      // Before the next one: on a disk that is nearly full its room is what the files of the next one take.
      this.#journal.remove([number]);
    }
    if (serial === 0) this.#journal.markCarriedOut(0);
    const { scan, files } = this.#filesOf(
      active,
      scanGeneration(folderOf(active), this.#disk, this.#asideFolder(active)),
    );
    this.#files = files;
    return {
      ...scan,
      faults: [...faults, ...scan.faults],
      remembered: this.#remembered.all(),
      serial,
      tornBytes: torn,
    };
  }

  #readSegment(number: number, next: number | undefined, onFault: (fault: FaultNotice) => void) {
    const { bytes, content } = this.#journal.read(number, next);
    for (const { offset, bytes: length } of content.damaged) {
      const record = `journal ${number}#${offset}`;
      if (length === 0) {
        const message =
          'The end of a file of the journal is missing; what it held is lost unless it was in the files already.';
        onFault({ record, message });
        continue;
      }
      const aside = join(this.#path, 'damaged', 'journal', `${number}-${offset}.${randomId(6)}`);
      const part = bytes.subarray(offset, offset + length);
      this.#disk.replace(aside, (fd) => this.#disk.write(fd, part, 0));
      onFault({
        record,
        message: `${length} bytes of the journal failed their checksum; what they held is lost unless it was in the files already. They are kept in ${aside}.`,
      });
    }
    return content;
  }

  #replay(folder: string, pending: JournalCommit[], onFault: (fault: FaultNotice) => void): void {
    const logs: ScannedLog[] = [];
    for (const [log, next] of firstNumbers(pending)) {
      logs.push(cutForReplay(join(folder, logPath(log)), log, next, this.#disk, onFault));
    }
    const files = new GenerationFiles({ ...this.#places(folder), logs, sizeBytes: 0 });
    this.#carryOut(files, pending, false);
  }

  #carryOut(files: GenerationFiles, commits: JournalCommit[], keep: boolean): CarriedOut {
    const report = files.carryOut(
      commits.flatMap(({ changes }): Change[] => changes),
      keep,
    );
    const named = commits.flatMap(({ named }): RememberedCommit[] => (named === undefined ? [] : [named]));
    if (named.length > 0) this.#remembered.add(named);
    const last = commits.at(-1);
    if (last !== undefined) this.#journal.markCarriedOut(last.serial);
    return report;
  }

  /** After a failure the files must be looked at anew. */
  #inUse<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#files = undefined;
      throw error;
    }
  }

  #filesOf(id: string, scan: ScannedGeneration) {
    const places = this.#places(this.#require(this.#folders).folderOf(id));
    return {
      scan,
      files: new GenerationFiles({ ...places, logs: scan.logs, sizeBytes: scan.sizeBytes }),
    };
  }

  #places(folder: string) {
    return {
      folder,
      disk: this.#disk,
      keptFolder: join(this.#keptFolder, randomId(6)),
      asideFolder: this.#asideFolder(folder.slice(this.#path.length + 1)),
    };
  }

  get #keptFolder(): string {
    return join(this.#path, '.kept');
  }

  #asideFolder(id: string): string {
    return join(this.#path, 'damaged', id);
  }

  #bound() {
    const folders = this.#require(this.#folders);
    return { active: folders.active, folderOf: (id: string) => folders.folderOf(id) };
  }

  #builder(id: string) {
    const found = this.#builders.get(id);
    if (found === undefined) throw fault('storage.invalid', `The generation ${id} takes nothing more.`);
    return found;
  }

  #require<T>(part: T | undefined): T {
    if (part === undefined) throw fault('storage.failed', 'The storage is recovering from a failed write.');
    return part;
  }
}

/** Of each log in the journal, the first number that an entry of it there has. */
function firstNumbers(commits: JournalCommit[]): Map<string, number> {
  const first = new Map<string, number>();
  for (const change of commits.flatMap(({ changes }) => changes)) {
    if (change.kind !== 'append' && change.kind !== 'trim') continue;
    const number = change.kind === 'append' ? change.sequence : change.last + 1;
    first.set(change.log, Math.min(number, first.get(change.log) ?? number));
  }
  return first;
}
