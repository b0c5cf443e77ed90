import { basename, join } from 'node:path';
import { type CodedError, isCoded } from '../../base/errors.ts';
import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId, OperationResult, StorageFault } from '../storage.ts';
import { CarryOut } from './carry-out.ts';
import { CommitGroup } from './commit-group.ts';
import { CommitQueue } from './commit-queue.ts';
import { DataIndex, type DocumentEntry } from './data-index.ts';
import { ExpirySweep } from './expiry-sweep.ts';
import { damagedDocument, damagedEntries, FaultReports } from './fault-reports.ts';
import { asFileFault } from './file-errors.ts';
import type { HeldVersions } from './held-versions.ts';
import { FrameBuffer, type JournalCommit } from './journal-frames.ts';
import { type CarryOutWork, JournalWriter } from './journal-writer.ts';
import type { CarriedOut, KeeperLink, OpenedStorage, RememberedCommit } from './keeper-calls.ts';
import { remember } from './remembered-commits.ts';

/** With so many bytes that are durable and not in the files yet, commits wait until they are. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

export interface FileStoreOptions {
  folder: string;
  /** Start without data when it cannot be told what the data is. */
  setCorruptAside: boolean;
  now: () => number;
  onFault: ((fault: StorageFault) => void) | undefined;
  startKeeper: (folder: string) => KeeperLink;
  onStep?: ((step: string) => void) | undefined;
}

/**
 * The storage behind the port: what is known in memory, the journal that makes commits durable, and the keeper that carries
 * them out in the files. One group of commits is written at a time; what arrives meanwhile is the next.
 */
export class FileStore {
  readonly #options: FileStoreOptions;
  readonly #now: () => number;
  readonly #held = new Set<HeldVersions>();
  readonly #faults: FaultReports;
  readonly #frames = new FrameBuffer();
  readonly #sweep = new ExpirySweep();
  readonly #queue = new CommitQueue({ ready: () => this.#ready(), commitGroup: () => this.#commitGroup() });
  readonly #carryOut = new CarryOut(
    () => this.#journal,
    (work) => this.#carryOutWork(work),
  );
  #link: KeeperLink;
  #index: DataIndex;
  #journal: JournalWriter;
  #remembered = new Map<string, Map<number, RememberedCommit>>();
  /** Of the last commit that is durable. */
  #serial = 0;
  readonly #answerOf = ({ writer, number }: CommitId) => this.#remembered.get(writer)?.get(number)?.answer;
  /** Why nothing can be written until the files were looked at anew. */
  #broken: CodedError | undefined;
  #keptUnreleased = false;
  /** Bytes of an unfinished commit that the last start found in the journal and removed. */
  tornBytes = 0;
  /** What there is to tell of a store that was set aside at the start. */
  setAside: string | undefined;
  /** Groups that were made durable, each with one sync; for tests and benchmarks. */
  groups = 0;

  static async open(options: FileStoreOptions): Promise<FileStore> {
    const link = options.startKeeper(options.folder);
    try {
      const { setCorruptAside } = options;
      const opened = await link.call('open', { now: options.now(), setCorruptAside });
      const store = new FileStore(options, link, opened);
      store.#take(opened);
      store.setAside = opened.setAside;
      return store;
    } catch (error) {
      await link.end();
      throw asFileFault(error, options.folder);
    }
  }

  private constructor(options: FileStoreOptions, link: KeeperLink, opened: OpenedStorage) {
    this.#options = options;
    this.#now = options.now;
    this.#faults = new FaultReports(options.onFault);
    this.#link = link;
    this.#index = new DataIndex(opened);
    this.#journal = this.#newJournal();
  }

  get index(): DataIndex {
    return this.#index;
  }

  get link(): KeeperLink {
    return this.#link;
  }

  /** Bytes of all files of the active generation, and of what is on its way into them. */
  get sizeBytes(): number {
    return this.#index.sizeBytes + this.#journal.waitingBytes;
  }

  /** Resolves when it is durable. */
  commit(operations: CheckedOperation[], id: CommitId | undefined): Promise<OperationResult[]> {
    return this.#queue.commit(operations, id);
  }

  /** Runs something when everything committed before is in the files, and holds back the commits behind it. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.exclusive(async () => {
        try {
          await this.#ready();
          await this.#carryOutAll();
          resolve(await work());
        } catch (error) {
          reject(asFileFault(error, this.#options.folder));
        }
      });
    });
  }

  activate(id: string): Promise<void> {
    return this.exclusive(async () => {
      // No frame of the one must be found when the other is active.
      this.#beginUnlessEmpty();
      await this.#carryOutAll();
      const counters = [...this.#index.logs.values()].map(({ log, last }): [string, number] => [log, last]);
      try {
        const scan = await this.#link.call('generation.activate', { id, now: this.#now(), counters });
        if (scan === null) return;
        // The records of this one have the same names.
        this.#faults.forgetAll();
        this.#faults.add(scan.faults);
        this.#index = new DataIndex(scan);
      } catch (error) {
        // Which one is active now, only the disk knows.
        if (!isCoded(error, 'storage.invalid')) this.#break(error);
        throw error;
      }
    });
  }

  /** Removes a generation that is not the active one. */
  async drop(id: string): Promise<void> {
    // Before the first of its files is gone, which would be told as damage.
    for (const held of this.#held) {
      if (held.folder !== this.#index.folder && basename(held.folder) === id) held.lose();
    }
    await this.#link.call('generation.drop', { id });
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    this.#carryOut.cancel();
    await this.#carryOut.settled();
    this.#journal.close();
    // Otherwise it is durable in the journal, and carried out at the next start.
    await this.#carryOut.begin(true).catch(() => undefined);
    this.#carryOut.stop();
    await this.#link.call('close', null).catch(() => undefined);
    await this.#link.end();
  }

  /** Has files kept that `held` may need when they change. */
  hold(held: HeldVersions): void {
    this.#held.add(held);
  }

  release(held: HeldVersions): void {
    this.#held.delete(held);
    this.#releaseKept();
  }

  /** Waits for what is being carried out now, after which a snapshot knows what it did. */
  async carriedOutNow(): Promise<void> {
    await this.#carryOut.settled();
  }

  /**
   * Reports a document whose file is damaged. Only the file of the version that is there now is moved away: one that a snapshot
   * holds may be of another generation, or another version be in its place.
   */
  documentDamaged(entry: DocumentEntry): void {
    const { collection, id, crc } = entry;
    const notice = damagedDocument(collection, id);
    if (this.#index.collections.get(collection)?.byId.get(id) !== entry) {
      this.reportDamaged(notice.record, String(crc));
      return;
    }
    this.#index.remove(collection, id);
    if (!this.#faults.add([notice])) return;
    this.#link.call('setDocumentAside', { collection, id, crc }).then(
      () => this.#faults.forget(notice.record),
      // It could not be moved (a full disk, say): it stays where it is, and stays reported.
      () => undefined,
    );
  }

  /** Reports damaged entries of a log, and has the log written anew without them. */
  entriesDamaged(log: string, sequences: number[]): void {
    if (!this.#faults.add(damagedEntries(log, sequences))) return;
    const index = this.#index;
    this.#link.call('mendLog', { log }).then(
      (report) => {
        if (this.#index === index) this.#takeReport(0, report);
      },
      (error: unknown) => this.#break(error),
    );
  }

  /** Reports a damaged record that is not one of now, and is left as it is; `version` tells it from others by its name. */
  reportDamaged(record: string, version: string): void {
    const message = `The ${record} failed its checksum; it is not served.`;
    this.#faults.add([{ record, message }], version);
  }

  /** Recovers if that is necessary, and makes room; rejects when nothing can be written. */
  #ready(): Promise<void> | undefined {
    const journal = this.#journal;
    const waits = this.#broken !== undefined || journal.waitingBytes > MOST_WAITING_BYTES;
    return waits || journal.isDone ? this.#makeReady() : undefined;
  }

  async #makeReady(): Promise<void> {
    try {
      if (this.#broken !== undefined) await this.#recover();
      if (this.#journal.waitingBytes > MOST_WAITING_BYTES) await this.#carryOut.begin();
      if (this.#journal.isDone) this.#journal.begin(this.#serial + 1);
    } catch (error) {
      this.#break(error);
      throw this.#broken ?? error;
    }
  }

  /** Goes on in a new file of the journal, unless the present one is empty. */
  #beginUnlessEmpty(): void {
    if (this.#journal.currentBytes === 0) return;
    try {
      this.#journal.begin(this.#serial + 1);
    } catch (error) {
      // The new file may be there already, and in the way of a second try.
      this.#break(error);
      throw error;
    }
  }

  /** Makes the first of the waiting commits durable, with one write and one sync, and answers them. */
  async #commitGroup(): Promise<void> {
    const frames = this.#frames;
    const group = new CommitGroup({
      index: this.#index,
      now: this.#now(),
      serial: this.#serial,
      frames,
      answerOf: this.#answerOf,
    });
    this.#queue.take((waiting) => group.add(waiting));
    group.addExpired(this.#sweep);
    const { planned } = group;
    if (planned.length > 0) {
      try {
        this.#queue.measured(await this.#journal.append(frames.bytes));
      } catch (error) {
        group.refuse(this.#appendFailed(error));
        return;
      }
      this.#publish(planned, frames.length);
    }
    group.answer();
  }

  #publish(planned: JournalCommit[], bytes: number): void {
    this.groups += 1;
    this.#journal.advance(bytes);
    for (const { serial, named, changes } of planned) {
      this.#serial = serial;
      this.#index.apply(serial, changes);
      if (named !== undefined) remember(this.#remembered, named);
    }
    this.#carryOut.schedule();
  }

  /**
   * What a group is told whose write failed. When the disk was full and the journal could be cut back, it is known that
   * nothing of it is left.
   */
  #appendFailed(error: unknown): CodedError {
    const { folder } = this.#options;
    let failure = asFileFault(error, folder);
    try {
      this.#journal.cutBack();
    } catch (cutError) {
      if (failure.code === 'storage.full')
        failure = asFileFault(
          Object.assign(new Error(failure.message), { code: 'EIO', cause: cutError }),
          folder,
        );
    }
    this.#break(failure);
    return failure;
  }

  #break(error: unknown): void {
    this.#broken ??= asFileFault(error, this.#options.folder);
    this.#carryOut.stop();
  }

  /**
   * Begins anew after a write that failed: the journal is cut to what is known to be durable, carried out again, and every
   * file looked at. No handle of before is used again.
   */
  async #recover(): Promise<void> {
    await this.#carryOut.settled();
    this.#journal.cutBack();
    for (const held of this.#held) held.lose();
    this.#held.clear();
    let opened: OpenedStorage;
    try {
      opened = await this.#link.call('recover', null);
    } catch (error) {
      if (!isCoded(error, 'storage.failed')) throw error;
      // The thread itself may have ended, or never got as far as to be able to recover.
      await this.#link.call('close', null).catch(() => undefined);
      await this.#link.end();
      this.#link = this.#options.startKeeper(this.#options.folder);
      opened = await this.#link.call('open', { now: this.#now(), setCorruptAside: false });
    }
    this.#take(opened);
    this.#broken = undefined;
    this.#carryOut.resume();
  }

  #take(opened: OpenedStorage): void {
    this.#faults.add(opened.faults);
    this.#index = new DataIndex(opened);
    this.#remembered = new Map();
    for (const commit of opened.remembered) remember(this.#remembered, commit);
    this.#serial = opened.serial;
    this.tornBytes += opened.tornBytes;
    this.#keptUnreleased = false;
    this.#journal = this.#newJournal();
    this.#journal.begin(this.#serial + 1);
  }

  #newJournal(): JournalWriter {
    return new JournalWriter(join(this.#options.folder, 'journal'), this.#options.onStep);
  }

  async #carryOutAll(): Promise<void> {
    await this.#carryOut.settled();
    if (this.#broken !== undefined) throw this.#broken;
    await this.#carryOut.begin();
  }

  async #carryOutWork(work: CarryOutWork): Promise<void> {
    const serial = this.#serial;
    try {
      const keep = this.#held.size > 0;
      const report = await this.#link.call('carryOut', { ...work, keep });
      this.#journal.done(work, report.spares);
      this.#takeReport(serial, report);
    } catch (error) {
      this.#break(error);
      throw this.#broken ?? error;
    }
  }

  #takeReport(serial: number, report: CarriedOut): void {
    this.#faults.add(report.faults);
    this.#index.carriedOut(serial, report);
    if (report.kept.length === 0) return;
    this.#keptUnreleased = true;
    for (const held of this.#held) {
      if (held.folder !== this.#index.folder) continue;
      for (const [path, kept] of report.kept) held.kept(path, kept);
    }
    this.#releaseKept();
  }

  #releaseKept(): void {
    if (this.#held.size > 0 || !this.#keptUnreleased) return;
    this.#keptUnreleased = false;
    this.#link.call('releaseKept', null).catch(() => undefined);
  }
}
