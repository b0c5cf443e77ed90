import { join } from 'node:path';
import { type CodedError, isCoded } from '../../base/errors.ts';
import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId, StorageFault } from '../storage.ts';
import { CommitPlan, type PlannedCommit } from './commit-plan.ts';
import { DataIndex, type DocumentEntry, isLiving } from './data-index.ts';
import { asFileFault } from './file-errors.ts';
import type { HeldVersions } from './held-versions.ts';
import { FrameBuffer, type JournalCommit } from './journal-frames.ts';
import { type CarryOutWork, JournalWriter } from './journal-writer.ts';
import type { CarriedOut, FaultNotice, KeeperLink, OpenedStorage, RememberedCommit } from './keeper-calls.ts';
import { remember } from './remembered-commits.ts';

/** What is durable goes into the files so many ms later, … */
const CARRY_OUT_DELAY_MS = 250;
/** … or later, so that carrying out takes a tenth of the time at most: what changes again meanwhile is written once. */
const CARRY_OUT_SHARE = 10;
const LONGEST_DELAY_MS = 2_000;
/** With so many bytes waiting it is begun at once, … */
const CARRY_OUT_BYTES = 8 * 1024 * 1024;
/** … and with so many, commits wait for it. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
/** A file of the journal is followed by the next when it is longer. */
const SEGMENT_BYTES = 1024 * 1024;
/** A group takes no more commits when its frames are longer. */
const GROUP_BYTES = 16 * 1024 * 1024;
/** Expired documents are looked for this often, by the adapter's clock, … */
const SWEEP_INTERVAL_MS = 60_000;
/** … and so many removed at a time, so that nobody waits long behind it. */
const SWEEP_LIMIT = 500;

interface WaitingCommit {
  operations: CheckedOperation[];
  id: CommitId | undefined;
  resolve(numbers: number[]): void;
  reject(error: unknown): void;
}

/** Something that needs all commits before it in the files, and no commit meanwhile. */
interface WaitingTask {
  run(): Promise<void>;
}

export interface FileStoreOptions {
  folder: string;
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
  readonly #reported = new Set<string>();
  readonly #frames = new FrameBuffer();
  #link: KeeperLink;
  #index: DataIndex;
  #journal: JournalWriter;
  #remembered = new Map<string, Map<number, RememberedCommit>>();
  /** Of the last commit that is durable. */
  #serial = 0;
  #waiting: (WaitingCommit | WaitingTask)[] = [];
  #working: Promise<void> | undefined;
  /** Why nothing can be written until the files were looked at anew. */
  #broken: CodedError | undefined;
  #carrying: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = CARRY_OUT_DELAY_MS;
  #lastSweep = Number.NEGATIVE_INFINITY;
  #keptUnreleased = false;
  /** Bytes of an unfinished commit that the last start found in the journal and removed. */
  tornBytes = 0;
  /** Groups that were made durable, each with one sync; for tests and benchmarks. */
  groups = 0;

  static async open(options: FileStoreOptions): Promise<FileStore> {
    const link = options.startKeeper(options.folder);
    try {
      const opened = await link.call('open', { now: options.now() });
      const store = new FileStore(options, link, opened);
      await store.#take(opened);
      return store;
    } catch (error) {
      await link.end();
      throw asFileFault(error, options.folder);
    }
  }

  private constructor(options: FileStoreOptions, link: KeeperLink, opened: OpenedStorage) {
    this.#options = options;
    this.#now = options.now;
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

  commit(operations: CheckedOperation[], id: CommitId | undefined): Promise<number[]> {
    return new Promise((resolve, reject) => this.#enqueue({ operations, id, resolve, reject }));
  }

  /** Runs something when everything committed before is in the files, and holds back the commits behind it. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async () => {
        try {
          await this.#ready();
          await this.#carryOutAll();
          resolve(await work());
        } catch (error) {
          reject(asFileFault(error, this.#options.folder));
        }
      };
      this.#enqueue({ run });
    });
  }

  activate(id: string): Promise<void> {
    return this.exclusive(async () => {
      // No frame of the one must be found when the other is active.
      await this.#beginUnlessEmpty();
      await this.#carryOutAll();
      const counters = [...this.#index.logs.values()].map(({ log, last }): [string, number] => [log, last]);
      try {
        const scan = await this.#link.call('generation.activate', { id, now: this.#now(), counters });
        if (scan === null) return;
        this.#report(scan.faults);
        this.#index = new DataIndex(scan);
      } catch (error) {
        // Which one is active now, only the disk knows.
        if (!isCoded(error, 'storage.invalid')) this.#break(error);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
    clearTimeout(this.#timer);
    try {
      await this.#carryOutAll();
      this.#journal.close();
      await this.#carryOut(true);
    } catch {
      // It is durable in the journal, and carried out at the next start.
      this.#journal.close();
    }
    clearTimeout(this.#timer);
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
    await this.#carrying?.catch(() => undefined);
  }

  /** Reports a document whose file is damaged, and moves the file away. */
  documentDamaged({ collection, id, crc }: DocumentEntry): void {
    const record = `document ${collection}/${id}`;
    const current = this.#index.collections.get(collection)?.byId.get(id);
    if (current?.crc === crc && current.json === undefined) this.#index.remove(collection, id);
    const message = `The ${record} failed its checksum, or its file is gone; it was set aside and is not served.`;
    if (!this.#report([{ record, message }])) return;
    this.#link.call('setDocumentAside', { collection, id, crc }).then(
      () => this.#reported.delete(record),
      // It could not be moved (a full disk, say): it stays where it is, and stays reported.
      () => undefined,
    );
  }

  /** Reports damaged entries of a log, and has the log written anew without them. */
  entriesDamaged(log: string, sequences: number[]): void {
    const notices = sequences.map((sequence) => {
      const record = `entry ${log}#${sequence}`;
      return { record, message: `The ${record} failed its checksum; it was set aside and is not served.` };
    });
    if (sequences.length === 0) {
      notices.push({
        record: `log ${log}`,
        message: `A line break in the file of the log ${log} was damaged.`,
      });
    }
    if (!this.#report(notices)) return;
    const index = this.#index;
    this.#link.call('mendLog', { log }).then(
      (report) => {
        if (this.#index === index) this.#takeReport(0, report);
      },
      (error: unknown) => this.#break(error),
    );
  }

  /** Reports a damaged record of a generation that is not the active one, and is left as it is. */
  reportDamaged(record: string): void {
    this.#report([{ record, message: `The ${record} failed its checksum; it is not served.` }]);
  }

  /** Each record once; false when all of them were reported before. */
  #report(notices: FaultNotice[]): boolean {
    const fresh = notices.filter(({ record }) => !this.#reported.has(record));
    for (const { record, message } of fresh) {
      this.#reported.add(record);
      this.#options.onFault?.({ code: 'storage.corrupt_record', record, message });
    }
    return fresh.length > 0;
  }

  #enqueue(waiting: WaitingCommit | WaitingTask): void {
    this.#waiting.push(waiting);
    if (this.#working !== undefined) return;
    // The end of the tick: after the promise callbacks that the answers of a group set off, so that all that they commit
    // goes into the next group together.
    this.#working = new Promise((resolve) => {
      process.nextTick(() => void this.#work().then(resolve));
    });
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting;
      if (first !== undefined && 'run' in first) {
        this.#waiting.shift();
        await first.run();
        continue;
      }
      try {
        await this.#ready();
      } catch (error) {
        this.#rejectWaiting(error);
        continue;
      }
      await this.#commitGroup();
    }
    // In the same step in which nothing was found waiting: what comes next starts it again.
    this.#working = undefined;
  }

  /** Recovers if that is necessary, and makes room; rejects when nothing can be written. */
  async #ready(): Promise<void> {
    try {
      if (this.#broken !== undefined) await this.#recover();
      if (this.#journal.waitingBytes > MOST_WAITING_BYTES) await this.#carryOut();
      if (this.#journal.currentBytes > SEGMENT_BYTES) await this.#journal.begin(this.#serial + 1);
    } catch (error) {
      this.#break(error);
      throw this.#broken ?? error;
    }
  }

  /** Goes on in a new file of the journal, unless the present one is empty. */
  async #beginUnlessEmpty(): Promise<void> {
    if (this.#journal.currentBytes === 0) return;
    try {
      await this.#journal.begin(this.#serial + 1);
    } catch (error) {
      // The new file may be there already, and in the way of a second try.
      this.#break(error);
      throw error;
    }
  }

  #rejectWaiting(error: unknown): void {
    const task = this.#waiting.findIndex((waiting) => 'run' in waiting);
    const rejected = this.#waiting.splice(0, task < 0 ? this.#waiting.length : task);
    for (const waiting of rejected) if (!('run' in waiting)) waiting.reject(error);
  }

  /** Makes the first of the waiting commits durable, with one write and one sync, and answers them. */
  async #commitGroup(): Promise<void> {
    const now = this.#now();
    const plan = new CommitPlan(this.#index, now);
    const frames = this.#frames;
    frames.clear();
    const answers: { waiting: WaitingCommit; numbers: number[] }[] = [];
    const planned: JournalCommit[] = [];
    const namedNow = new Map<string, number[]>();
    let taken = 0;
    for (; taken < this.#waiting.length && frames.length < GROUP_BYTES; taken++) {
      const waiting = this.#waiting[taken] as WaitingCommit | WaitingTask;
      if ('run' in waiting) break;
      const { id } = waiting;
      const before = id && (this.#answerOf(id) ?? namedNow.get(nameOf(id)));
      if (before !== undefined) {
        answers.push({ waiting, numbers: before });
        continue;
      }
      let commit: PlannedCommit;
      try {
        commit = plan.add(waiting.operations);
      } catch (error) {
        waiting.reject(error);
        continue;
      }
      answers.push({ waiting, numbers: commit.numbers });
      if (id !== undefined) namedNow.set(nameOf(id), commit.numbers);
      if (commit.changes.length === 0 && id === undefined) continue;
      const serial = this.#serial + planned.length + 1;
      const named = id && { writer: id.writer, number: id.number, at: now, answer: commit.numbers };
      const entry: JournalCommit = { serial, ...(named && { named }), changes: commit.changes };
      planned.push(entry);
      frames.add(entry);
    }
    this.#waiting.splice(0, taken);
    this.#sweep(plan, planned, now);
    try {
      if (planned.length > 0) await this.#journal.append(frames.bytes);
    } catch (error) {
      const failure = this.#appendFailed(error);
      for (const { waiting } of answers) waiting.reject(failure);
      return;
    }
    if (planned.length > 0) this.#publish(planned, frames.length);
    for (const { waiting, numbers } of answers) waiting.resolve(numbers);
  }

  #publish(planned: JournalCommit[], bytes: number): void {
    this.groups += 1;
    this.#journal.advance(bytes);
    for (const { serial, named, changes } of planned) {
      this.#serial = serial;
      this.#index.apply(serial, changes);
      if (named !== undefined) remember(this.#remembered, named);
    }
    this.#scheduleCarryOut();
  }

  #answerOf({ writer, number }: CommitId): number[] | undefined {
    return this.#remembered.get(writer)?.get(number)?.answer;
  }

  /** Adds the removal of some documents that have expired, when it is time to look for them. */
  #sweep(plan: CommitPlan, planned: JournalCommit[], now: number): void {
    // A clock that was set back must not put the next look off for longer than an interval.
    if (Math.abs(now - this.#lastSweep) < SWEEP_INTERVAL_MS) return;
    this.#lastSweep = now;
    const expired: CheckedOperation[] = [];
    for (const entry of this.#index.expiring) {
      if (isLiving(entry, now)) continue;
      const { collection, id } = entry;
      if (plan.touches(collection, id)) continue;
      expired.push({ kind: 'delete', collection, id, expectVersion: undefined });
      if (expired.length < SWEEP_LIMIT) continue;
      this.#lastSweep = Number.NEGATIVE_INFINITY;
      break;
    }
    if (expired.length === 0) return;
    const sweep = { serial: this.#serial + planned.length + 1, changes: plan.add(expired).changes };
    planned.push(sweep);
    this.#frames.add(sweep);
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
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Begins anew after a write that failed: the journal is cut to what is known to be durable, carried out again, and every
   * file looked at. No handle of before is used again.
   */
  async #recover(): Promise<void> {
    await this.#carrying?.catch(() => undefined);
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
      opened = await this.#link.call('open', { now: this.#now() });
    }
    await this.#take(opened);
    this.#broken = undefined;
  }

  async #take(opened: OpenedStorage): Promise<void> {
    this.#report(opened.faults);
    this.#index = new DataIndex(opened);
    this.#remembered = new Map();
    for (const commit of opened.remembered) remember(this.#remembered, commit);
    this.#serial = opened.serial;
    this.tornBytes += opened.tornBytes;
    this.#keptUnreleased = false;
    this.#journal = this.#newJournal();
    await this.#journal.begin(this.#serial + 1);
  }

  #newJournal(): JournalWriter {
    return new JournalWriter(join(this.#options.folder, 'journal'), this.#options.onStep);
  }

  #scheduleCarryOut(): void {
    if (this.#carrying !== undefined) return;
    if (this.#journal.waitingBytes >= CARRY_OUT_BYTES) {
      this.#carryOut().catch(() => undefined);
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#carryOut().catch(() => undefined), this.#delayMs);
    this.#timer.unref();
  }

  async #carryOutAll(): Promise<void> {
    await this.#carrying?.catch(() => undefined);
    if (this.#broken !== undefined) throw this.#broken;
    await this.#carryOut();
  }

  /** Has what is durable carried out in the files; `last` when nothing more will be written to the journal. */
  #carryOut(last = false): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#carrying !== undefined) return this.#carrying;
    const work = this.#journal.work(last);
    if (work === undefined || this.#broken !== undefined) return Promise.resolve();
    this.#carrying = this.#carryOutWork(work).finally(() => {
      this.#carrying = undefined;
      if (this.#broken === undefined && this.#journal.waitingBytes > 0) this.#scheduleCarryOut();
    });
    return this.#carrying;
  }

  async #carryOutWork(work: CarryOutWork): Promise<void> {
    const serial = this.#serial;
    const begun = performance.now();
    try {
      const keep = this.#held.size > 0;
      const report = await this.#link.call('carryOut', { ...work, keep });
      this.#journal.done(work);
      this.#takeReport(serial, report);
    } catch (error) {
      this.#break(error);
      throw this.#broken ?? error;
    }
    const took = performance.now() - begun;
    this.#delayMs = Math.min(Math.max(CARRY_OUT_DELAY_MS, took * CARRY_OUT_SHARE), LONGEST_DELAY_MS);
  }

  #takeReport(serial: number, report: CarriedOut): void {
    this.#report(report.faults);
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

function nameOf({ writer, number }: CommitId): string {
  return `${writer} ${number}`;
}
