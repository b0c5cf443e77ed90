import { type CheckedOperation, type CheckedRead, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import type { LogEntry, OperationResult, StoredDocument } from '../storage.ts';
import { type Claim, LARGEST_COPY } from './claim.ts';
import { CopyReads } from './copy-reads.ts';
import { documentOf, documentText, entriesOf, headerOf, logTexts } from './copy-text.ts';
import type { Fence } from './fence.ts';
import { HotClaims } from './hot-claims.ts';
import { HotLink, type HotServer } from './hot-link.ts';
import { FILL, MISS } from './hot-scripts.ts';
import { RecentUse } from './recent-use.ts';

export interface HotCopiesOptions {
  server: HotServer;
  /** Hash tag of all keys. */
  namespace: string;
  /** Time without use after which a copy goes, in ms. */
  hotMs: number;
  /** How often the lease of this instance is prolonged, in ms. */
  beatMs: number;
  /** How long it lasts, in ms. */
  lapseMs: number;
}

/** Leave to keep what is now fetched from the cold side. */
export interface Lease {
  object: string;
  token: string;
  epoch: string;
}

/** A copy, or perhaps the leave to make one. */
export interface HotRead<T> {
  hit?: T;
  lease?: Lease | undefined;
}

const LEASE_MS = 30_000;

/**
 * Copies of documents and logs in Redis, which are either what PostgreSQL holds or not there. Whoever writes claims the object
 * first (`fence`), which puts the copy out of reach of the others, and keeps the claim for as long as it goes on; every reader
 * that finds no copy takes a lease and may keep what it fetched if nobody claimed the object meanwhile.
 */
export class HotCopies {
  readonly #link: HotLink;
  readonly #claims: HotClaims;
  readonly #reads: CopyReads;
  readonly #hotMs: number;
  readonly #beatMs: number;
  readonly #used: RecentUse;
  #leases = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ server, namespace, hotMs, beatMs, lapseMs }: HotCopiesOptions) {
    this.#link = new HotLink(server, namespace, lapseMs);
    this.#claims = new HotClaims(this.#link, hotMs);
    this.#reads = new CopyReads(this.#link, this.#claims);
    this.#hotMs = hotMs;
    this.#beatMs = beatMs;
    this.#used = new RecentUse(hotMs / 24);
  }

  /** False while everything is read from and written to the cold side alone. */
  get trusted(): boolean {
    return this.#link.trusted;
  }

  /** The server is there, for the first time or again: forgets all copies, and trusts it from then on. Never rejects. */
  renew(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#claims.beat(), this.#beatMs).unref();
    return this.#link.renew();
  }

  /** To be called when the connection was lost: what was written meanwhile was not announced. */
  distrust(): void {
    this.#link.distrust();
  }

  /** Runs `switchOver` while nobody reads or keeps a copy, and forgets all of them. */
  without<T>(switchOver: () => Promise<T>): Promise<T> {
    return this.#link.without(switchOver);
  }

  /** Gives up what this instance claims; nothing may be under way. Never rejects. */
  async close(): Promise<void> {
    await this.#claims.close();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#used.clear();
  }

  async document<T>(collection: string, id: string): Promise<HotRead<StoredDocument<T>>> {
    if (!this.#link.isBelieved) return {};
    const object = documentObject(collection, id);
    const claim = this.#claims.on(object);
    try {
      if (!isToBeRead(claim)) return await this.#miss(object, claim);
      const text = await this.#reads.document(object, claim);
      if (text === undefined) return await this.#miss(object, this.#claims.on(object));
      const hit = documentOf<T>(collection, id, text);
      if (hit === undefined) return await this.#damaged(object, claim);
      if (claim === undefined) this.#touch(object);
      return { hit };
    } catch {
      this.distrust();
      return {};
    }
  }

  async log<T>(log: string, query: CheckedRead): Promise<HotRead<LogEntry<T>[]>> {
    if (!this.#link.isBelieved || !isHotLog(log)) return {};
    const object = logObject(log);
    const claim = this.#claims.on(object);
    try {
      if (!isToBeRead(claim)) return await this.#miss(object, claim);
      const found = await this.#textsOf(object, claim, query);
      if (found === undefined) return await this.#miss(object, this.#claims.on(object));
      const entries = entriesOf<T>(log, found.first, found.texts, found.place);
      if (entries === undefined) return await this.#damaged(object, claim);
      if (claim === undefined) this.#touch(object);
      return { hit: query.reverse ? entries.reverse() : entries };
    } catch {
      this.distrust();
      return {};
    }
  }

  /** Keeps a document that was fetched under a lease; tries once, and nobody need wait for it. */
  keepDocument({ collection, id, version, value, expiresAt }: StoredDocument, lease: Lease): Promise<void> {
    return this.#fill(lease, [
      documentText(collection, id, version, expiresAt ?? null, JSON.stringify(value)),
    ]);
  }

  /** Keeps the entries (ascending) of a log that were fetched under a lease: all there are from a sequence on. */
  async keepLog(log: string, from: number, entries: readonly LogEntry[], lease: Lease): Promise<void> {
    const first = entries[0]?.sequence ?? 0;
    // Where one is missing, its place in the list would not tell the sequence of an entry.
    if (entries.some(({ sequence }, i) => sequence !== first + i)) return;
    await this.#fill(lease, logTexts(log, from, entries));
  }

  /** Fences a commit, before it is handed over; undefined when it writes nothing that is ever hot. */
  fence(operations: readonly CheckedOperation[]): Fence | undefined {
    return this.#claims.fence(operations.map(objectOf));
  }

  handedOver(fence: Fence): void {
    this.#claims.handedOver(fence);
  }

  /** The commit was carried out: `at` is the time of what it appended; without `results` what it wrote is not known. */
  carriedOut(
    fence: Fence,
    operations: readonly CheckedOperation[],
    results: readonly OperationResult[] | undefined,
    at: number,
  ): Promise<void> {
    this.#claims.carriedOut(fence, operations, results, at);
    return this.#claims.secure(fence);
  }

  /** The commit was refused: the copies are as good as before. */
  refused(fence: Fence): void {
    this.#claims.settle(fence);
  }

  /** Nobody knows whether the commit was carried out. */
  doubt(fence: Fence): Promise<void> {
    return this.#claims.doubt(fence);
  }

  /** The part of a log that is asked for, as its copy holds it: ascending, the entry at `place` with the sequence `first`. */
  async #textsOf(
    object: string,
    claim: Claim | undefined,
    query: CheckedRead,
  ): Promise<{ first: number; texts: string[]; place: number } | undefined> {
    const { after, before, limit, reverse } = query;
    if (after === 0 && before > MAXIMUM_SEQUENCE && !reverse) {
      const texts = await this.#reads.log(object, claim, limit);
      const header = headerOf(texts?.[0]);
      if (texts === undefined || header === undefined || header.from > 1) return undefined;
      return { first: header.first, texts, place: 1 };
    }
    const [first, texts] = await this.#reads.range(object, claim, query);
    return first === undefined || texts === undefined ? undefined : { first, texts, place: 0 };
  }

  /** There is no copy. Answers the leave to make one, unless somebody is writing. */
  async #miss(object: string, claim: Claim | undefined): Promise<HotRead<never>> {
    if (claim !== undefined) {
      if (claim.underWay > 0) return {};
      // What it claims is not there: given up, it can be fetched and kept.
      this.#claims.giveUp(claim);
    }
    this.#claims.sendAll();
    this.#leases += 1;
    const token = `${this.#link.instance}.${this.#leases}`;
    const [epoch, granted] = (await this.#link.run(MISS, [token, LEASE_MS, object])) as [string?, number?];
    if (epoch === undefined) this.#link.lapsed();
    else this.#link.saw(epoch);
    return granted === 1 && epoch !== undefined ? { lease: { object, token, epoch } } : {};
  }

  /** The copy is not what was written: another one takes its place. */
  #damaged(object: string, claim: Claim | undefined): Promise<HotRead<never>> {
    if (claim !== undefined) this.#claims.spoil(claim);
    return this.#miss(object, this.#claims.on(object));
  }

  /** A shared copy was used: it stays for longer. Told now and then, behind the answer. */
  #touch(object: string): void {
    if (!this.#used.isDue(object)) return;
    const key = this.#link.sharedKey(object);
    this.#link.call([['PEXPIRE', key, String(this.#hotMs)]]).catch(() => this.distrust());
  }

  async #fill({ object, token, epoch }: Lease, texts: readonly string[]): Promise<void> {
    const size = texts.reduce((sum, text) => sum + text.length, 0);
    if (!this.#link.isBelieved || size > LARGEST_COPY) return;
    await this.#link.run(FILL, [token, epoch, this.#hotMs, object, ...texts]).catch(() => this.distrust());
  }
}

const isToBeRead = (claim: Claim | undefined): boolean => claim === undefined || claim.isReadable;

/** Logs of one thing, such as the transcript of a session; a log of everything, such as the events, is never read whole. */
const isHotLog = (log: string): boolean => log.includes('/');

const documentObject = (collection: string, id: string): string => `d:${collection}/${id}`;
const logObject = (log: string): string => `l:${log}`;

function objectOf(operation: CheckedOperation): string | undefined {
  if (operation.kind === 'put' || operation.kind === 'delete') {
    return documentObject(operation.collection, operation.id);
  }
  return isHotLog(operation.log) ? logObject(operation.log) : undefined;
}
