import { type CodedError, isCoded } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { CheckedDelete, CheckedOperation, CheckedPut, CheckedRead } from '../checked-input.ts';
import { pageOf } from '../list-page.ts';
import type { ListPage, ListQuery, LogEntry, OperationResult, StoredDocument } from '../storage.ts';
import { versionConflict } from '../version-conflict.ts';
import { ChangingDocuments } from './changing-documents.ts';
import { indexOf, isThere, toDocument } from './known-document.ts';
import { entriesThrough, keyOfLog, knownBehind } from './known-log.ts';
import { LateNotes } from './late-notes.ts';
import { type KnownLog, RecentItems } from './recent-items.ts';

/** Ids of documents that this process has seen begin, at most; the oldest are forgotten first. */
const MAXIMUM_BEGUN = 50_000;

/** Takes back what {@link KnownData.apply} did. Only in the reverse order of the calls. */
export type Undo = () => void;

/** A commit that began, or one that was carried out. */
interface CommitNote {
  operations: readonly CheckedOperation[];
  /** What its operations were given; undefined while it is under way. */
  numbers: number[] | undefined;
  at: number;
}

/**
 * What is known of the storage without asking it: a bounded part of what was read and written, the least recently used
 * forgotten first. Three states are kept apart: there, not there, and not known; only the first two are ever answered.
 *
 * Answers of the storage may overtake each other, so each read says what was known when it began (`mark`): what a commit
 * has changed since is not set back by it.
 *
 * What commits begin and end is noted when there is time for it, that is while the storage works on the next one, and at the
 * latest before anything else is asked of this: it would cost as much as a tenth of a commit on its way.
 */
export class KnownData {
  readonly #items: RecentItems;
  /** Counts the changes; each known thing has the count of its last. */
  #changes = 0;
  /** What is not known now may have changed up to here: an older read of it is not taken. */
  #floor = 0;
  /** Ids of documents that began under our eyes: a log that is named after one began after it. */
  readonly #begun = new Set<string>();
  readonly #changing = new ChangingDocuments();
  readonly #late = new LateNotes<CommitNote>(({ operations, numbers, at }) => {
    if (numbers === undefined) {
      this.#changing.begin(operations);
      return;
    }
    this.#changes += 1;
    this.#take(operations, numbers, at);
    this.#ends(operations);
  });

  constructor(maximumBytes: number) {
    this.#items = new RecentItems(maximumBytes, (log) => {
      this.#floor = this.#changes;
      if (log !== undefined) this.#begun.delete(keyOfLog(log));
    });
  }

  /** To be taken before a read, and handed over with what it found. */
  mark(): number {
    this.#late.settle();
    return this.#changes;
  }

  sawDocument(collection: string, id: string, found: StoredDocument | undefined, since: number): void {
    this.#late.settle();
    const known = this.#items.document(collection, id);
    if ((known?.changedAt ?? this.#floor) > since || this.#changing.has(collection, id)) return;
    // The same version needs no second look, and the index fields, which a read does not tell, are kept.
    if (known !== undefined && found !== undefined && known.version === found.version) return;
    this.#items.setDocument({
      collection,
      id,
      version: found?.version ?? 0,
      json: found === undefined ? '' : JSON.stringify(found.value),
      fields: undefined,
      expiresAt: found?.expiresAt ?? null,
      changedAt: since,
    });
  }

  /** A commit was refused for a version: if what is known would have refused it otherwise, it is known no more. */
  sawConflict(operations: readonly CheckedOperation[], conflict: CodedError, now: number): void {
    this.#late.settle();
    const { collection, id, current } = conflict.data;
    try {
      this.predict(operations, now);
    } catch (error) {
      const same = isCoded(error, conflict.code) && error.data.collection === collection;
      if (same && error.data.id === id && error.data.current === current) return;
    }
    this.#forgetDocument(String(collection), String(id));
  }

  sawEntries(log: string, query: CheckedRead, found: readonly LogEntry[], since: number): void {
    this.#late.settle();
    const known = this.#items.log(log);
    if ((known?.changedAt ?? this.#floor) > since) return;
    const ascending = query.reverse ? found.toReversed() : found;
    const complete = found.length < query.limit;
    const header = known ?? this.#items.makeLog(log, since);
    // The part of the log that the answer speaks of; within it, what was not found is not there.
    const lowest = query.reverse && !complete ? (ascending[0]?.sequence ?? 1) - 1 : query.after;
    let covers = lowest;
    for (const { sequence, at, value } of ascending) {
      const before = header.entries.get(sequence);
      // An entry never changes, so writing it down anew would be for nothing, and cost as much as the load itself. That of
      // another data set, which others have switched to, has another time.
      if (before !== undefined && before.at === at && before.covers <= covers) {
        this.#items.touchEntry(header, sequence);
      } else {
        this.#items.setEntry(header, { sequence, at, json: JSON.stringify(value), covers });
      }
      covers = sequence;
    }
    const last = ascending.at(-1);
    const reachedEnd = query.reverse || complete;
    if (!reachedEnd || (header.last !== undefined && header.last >= query.before)) return;
    if (last !== undefined && last.sequence + 1 < query.before) {
      header.last = Math.max(header.last ?? 0, last.sequence);
    } else if (last === undefined && query.before > (header.last ?? 0)) {
      // Nothing behind `after`; what its last number was is not said by that.
      header.emptyBehind = Math.min(header.emptyBehind ?? query.after, query.after);
    }
  }

  /** Before a commit is sent. */
  begin(operations: readonly CheckedOperation[]): void {
    this.#late.add({ operations, numbers: undefined, at: 0 });
  }

  /** The storage has carried a commit out. */
  committed(operations: readonly CheckedOperation[], results: readonly OperationResult[], now: number): void {
    // The results are the caller's from now on.
    const numbers = results.map(({ version, sequence }) => version ?? sequence ?? 0);
    this.#late.add({ operations, numbers, at: now });
  }

  /** After a commit was refused, or has failed; {@link sawConflict} or {@link forget} comes before it. */
  end(operations: readonly CheckedOperation[]): void {
    this.#late.settle();
    this.#ends(operations);
  }

  /**
   * The numbers that the operations will be given. Throws `storage.version_conflict`, and `storage.not_known_now` where a
   * number cannot be known. Changes nothing.
   */
  predict(operations: readonly CheckedOperation[], now: number): number[] {
    this.#late.settle();
    const versions = new Map<string, number>();
    const sequences = new Map<string, number>();
    const begins = new Set<string>();
    for (const operation of operations) {
      if (operation.kind === 'put' && operation.expectVersion === 0) begins.add(operation.id);
    }
    const changed = (operation: CheckedPut | CheckedDelete): number => {
      const { collection, id, expectVersion } = operation;
      const key = `${collection}/${id}`;
      const current = versions.get(key) ?? this.#versionOf(collection, id, now) ?? expectVersion;
      if (expectVersion !== undefined && current !== expectVersion) {
        throw versionConflict(collection, id, expectVersion, current ?? 0);
      }
      if (operation.kind === 'delete') {
        versions.set(key, 0);
        return 0;
      }
      if (current === undefined) throw notKnown(`which version of ${key} there is`);
      const lives = operation.expiresAt === null || operation.expiresAt > now;
      versions.set(key, lives ? current + 1 : 0);
      return current + 1;
    };
    const appended = (log: string): number => {
      // The id of a document is its own: a log by that name cannot be older than it.
      const key = keyOfLog(log);
      const begun = begins.has(key) || this.#begun.has(key) ? 0 : undefined;
      const last = sequences.get(log) ?? this.#items.log(log)?.last ?? begun;
      if (last === undefined) throw notKnown(`how far the log ${log} has come`);
      sequences.set(log, last + 1);
      return last + 1;
    };
    return operations.map((operation) => {
      if (operation.kind === 'trim') return 0;
      return operation.kind === 'append' ? appended(operation.log) : changed(operation);
    });
  }

  /** Takes operations over as carried out with these numbers. */
  apply(operations: readonly CheckedOperation[], numbers: readonly number[], now: number): Undo {
    this.#late.settle();
    this.#changes += 1;
    const undone = operations.map((operation, i) => {
      const number = numbers[i] ?? 0;
      const undo = this.#undoOf(operation, number);
      this.#takeOne(operation, number, now);
      return undo;
    });
    return () => {
      this.#late.settle();
      this.#changes += 1;
      for (const undo of undone.toReversed()) undo();
    };
  }

  /** Whether a commit was carried out is not known: nor is what it touches, from now on. */
  forget(operations: readonly CheckedOperation[]): void {
    this.#late.settle();
    for (const operation of operations) {
      if (operation.kind === 'put' || operation.kind === 'delete') {
        this.#forgetDocument(operation.collection, operation.id);
        this.#begun.delete(operation.id);
      } else this.#forgetLog(operation.log);
    }
  }

  /** The active data set is another one. */
  clear(): void {
    this.#late.settle();
    this.#changes += 1;
    this.#floor = this.#changes;
    this.#items.clear();
    this.#begun.clear();
  }

  /** Throws `storage.not_known_now`. */
  get<T>(collection: string, id: string, now: number): StoredDocument<T> | undefined {
    this.#late.settle();
    const known = this.#items.document(collection, id);
    if (known === undefined) throw notKnown(`what ${collection}/${id} holds`);
    return isThere(known, now) ? toDocument<T>(known) : undefined;
  }

  /** From the documents that are known; there may be more. */
  list<T>(collection: string, query: ListQuery, now: number): ListPage<T> {
    this.#late.settle();
    const rows = this.#items
      .documents(collection)
      .filter((known) => isThere(known, now))
      .map((known) => ({ known, id: known.id, index: indexOf(known) }));
    return pageOf(rows, query, ({ known }) => toDocument<T>(known));
  }

  /**
   * Throws `storage.not_known_now`; its data says from where on the log is known (`knownAfter`), if its end is.
   */
  read<T>(log: string, query: CheckedRead): LogEntry<T>[] {
    this.#late.settle();
    const known = this.#items.log(log);
    if (known === undefined) throw notKnown(`what the log ${log} holds`);
    const knownAfter = knownBehind(known);
    if (Math.max(query.after, known.trimmed) < knownAfter) {
      const enough = query.reverse && this.#newest(known, query, knownAfter).length === query.limit;
      if (!enough) throw notKnown(`what the log ${log} holds up to ${knownAfter}`, { log, knownAfter });
    }
    const found = this.#newest(known, query, Math.max(query.after, known.trimmed));
    const inOrder = query.reverse ? found : found.reverse();
    return inOrder.slice(0, query.limit).map(({ sequence, at, json }) => {
      this.#items.touchEntry(known, sequence);
      return { log, sequence, at, value: JSON.parse(json) as T };
    });
  }

  #ends(operations: readonly CheckedOperation[]): void {
    this.#changing.end(operations, this.#forgetDocument);
  }

  #take(operations: readonly CheckedOperation[], numbers: readonly number[], now: number): void {
    for (let i = 0; i < operations.length; i++) {
      this.#takeOne(operations[i] as CheckedOperation, numbers[i] ?? 0, now);
    }
  }

  /** The entries that a query asks for behind `after`, the newest first; when it is in reverse, only as many as it wants. */
  #newest(known: KnownLog, query: CheckedRead, after: number) {
    const found = [...known.entries.values()]
      .filter(({ sequence }) => sequence > after && sequence < query.before)
      .sort((a, b) => b.sequence - a.sequence);
    return query.reverse ? found.slice(0, query.limit) : found;
  }

  #versionOf(collection: string, id: string, now: number): number | undefined {
    const known = this.#items.document(collection, id);
    if (known === undefined) return undefined;
    return isThere(known, now) ? known.version : 0;
  }

  #takeOne(operation: CheckedOperation, number: number, now: number): void {
    const changedAt = this.#changes;
    switch (operation.kind) {
      case 'put': {
        const { collection, id, json, fields, expiresAt } = operation;
        if (operation.expectVersion === 0) this.#begin(id);
        this.#items.setDocument({ collection, id, version: number, json, fields, expiresAt, changedAt });
        return;
      }
      case 'delete': {
        const { collection, id } = operation;
        const gone = { version: 0, json: '', fields: undefined, expiresAt: null };
        this.#items.setDocument({ collection, id, ...gone, changedAt });
        return;
      }
      case 'append': {
        const { log, json } = operation;
        const header = this.#items.log(log) ?? this.#items.makeLog(log, changedAt);
        header.changedAt = changedAt;
        header.last = Math.max(header.last ?? 0, number);
        this.#items.setEntry(header, { sequence: number, at: now, json, covers: number - 1 });
        return;
      }
      case 'trim': {
        const { log, through } = operation;
        const header = this.#items.log(log) ?? this.#items.makeLog(log, changedAt);
        header.changedAt = changedAt;
        // No further than the log goes: what is appended next is behind the trim.
        header.trimmed = Math.max(header.trimmed, Math.min(through, header.last ?? 0));
        for (const { sequence } of entriesThrough(header, through)) this.#items.removeEntry(header, sequence);
      }
    }
  }

  /** Before {@link #takeOne} does it. */
  #undoOf(operation: CheckedOperation, number: number): Undo {
    if (operation.kind === 'put' || operation.kind === 'delete') {
      const { collection, id } = operation;
      const known = this.#items.document(collection, id);
      const before = known === undefined ? undefined : { ...known };
      return () => {
        if (before === undefined) this.#forgetDocument(collection, id);
        else this.#items.setDocument({ ...before, changedAt: this.#changes });
      };
    }
    const { log } = operation;
    const header = this.#items.log(log) ?? this.#items.makeLog(log, this.#changes);
    if (operation.kind === 'append') {
      const { last } = header;
      return () => {
        header.last = last;
        header.changedAt = this.#changes;
        this.#items.removeEntry(header, number);
        this.#forgetUnless(log, header);
      };
    }
    const { trimmed } = header;
    const removed = entriesThrough(header, operation.through);
    return () => {
      header.trimmed = trimmed;
      header.changedAt = this.#changes;
      for (const entry of removed) this.#items.setEntry(header, entry);
      this.#forgetUnless(log, header);
    };
  }

  /** What is undone in a log that was dropped and learnt anew meanwhile is not undone in the new one. */
  #forgetUnless(log: string, header: KnownLog): void {
    const current = this.#items.log(log);
    if (current !== undefined && current !== header) this.#forgetLog(log);
  }

  #begin(id: string): void {
    this.#begun.add(id);
    if (this.#begun.size <= MAXIMUM_BEGUN) return;
    for (const oldest of this.#begun) {
      this.#begun.delete(oldest);
      return;
    }
  }

  readonly #forgetDocument = (collection: string, id: string): void => {
    this.#changes += 1;
    this.#floor = this.#changes;
    this.#items.removeDocument(collection, id);
  };

  #forgetLog(log: string): void {
    this.#changes += 1;
    this.#floor = this.#changes;
    this.#items.removeLog(log);
    this.#begun.delete(keyOfLog(log));
  }
}

function notKnown(what: string, data: Record<string, unknown> = {}): Error {
  return fault(
    'storage.not_known_now',
    `The storage cannot be reached, and ${what} is not known without it. It can be read again once the storage is back.`,
    data,
  );
}
