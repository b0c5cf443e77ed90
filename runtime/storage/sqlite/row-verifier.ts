import { fieldsFromText } from '../checked-input.ts';
import { logChecksum } from '../checksum.ts';
import type { LogEntry, SnapshotRecord, StorageFault, StoredDocument } from '../storage.ts';
import { areWhole, entryIfWhole, entryOf, entrySeed, entryWithValue } from './entry-text.ts';
import type { DamagedRecord, DocumentRow, EntryRow, FaultNotice, SnapshotRow } from './protocol.ts';
import { credibleLastSequence, isWholeDocument } from './rows.ts';

/**
 * Turns rows into records, and lets no damaged one pass: it is reported, once, and handed to `setAside`. The check is made
 * on this side of the worker so that it covers the whole way that the bytes came.
 */
export class RowVerifier {
  readonly #onFault: ((fault: StorageFault) => void) | undefined;
  /** Resolves true when the worker found it damaged too and set it aside. */
  readonly #setAside: (record: DamagedRecord) => Promise<boolean>;
  /** What was reported and is not out of the way yet. */
  readonly #reported = new Set<string>();
  #seed: { log: string; seed: number } | undefined;

  constructor(
    onFault: ((fault: StorageFault) => void) | undefined,
    setAside: (record: DamagedRecord) => Promise<boolean>,
  ) {
    this.#onFault = onFault;
    this.#setAside = setAside;
  }

  document<T>(row: DocumentRow): StoredDocument<T> | undefined {
    if (!this.#check(row, true)) return undefined;
    const [, collection, id, version, , expiresAt, , , json] = row;
    const value = JSON.parse(json) as T;
    return expiresAt === null
      ? { collection, id, version, value }
      : { collection, id, version, value, expiresAt };
  }

  /** Undefined when one of them is damaged: they are to be read again, for `entriesSingly` to tell which. */
  entries<T>(log: string, texts: string[]): LogEntry<T>[] | undefined {
    if (!areWhole(entrySeed(log), texts)) return undefined;
    const entries: LogEntry<T>[] = [];
    try {
      for (let i = 0; i < texts.length; i++) {
        const entry = entryOf(texts[i] as string);
        if (entry === undefined) return undefined;
        const { sequence, at, json } = entry;
        entries.push({ log, sequence, at, value: JSON.parse(json) as T });
      }
    } catch {
      // No JSON, although the sum is sound.
      return undefined;
    }
    return entries;
  }

  entriesSingly<T>(log: string, rows: EntryRow[]): LogEntry<T>[] {
    const entries: LogEntry<T>[] = [];
    const seed = entrySeed(log);
    for (const [sequence, text] of rows) {
      const entry = entryWithValue(seed, text);
      if (entry === undefined) this.#damaged(`entry ${log}#${sequence}`, { kind: 'entry', log, sequence });
      else entries.push({ log, sequence, at: entry.at, value: entry.value as T });
    }
    return entries;
  }

  /** `active` says whether the rows are of the active generation, whose damaged records can be set aside. */
  snapshot(rows: SnapshotRow[], active: boolean): SnapshotRecord[] {
    const records: SnapshotRecord[] = [];
    for (const row of rows) {
      const record = this.#snapshotRecord(row, active);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Passes on what the worker met by itself and has already dealt with. */
  report({ record, message }: FaultNotice): void {
    // The counter of a log may be met by a snapshot, which cannot mend it, and later by the worker, which does.
    if (record.startsWith('log ')) {
      if (this.#reported.has(record)) return;
      this.#reported.add(record);
    }
    this.#onFault?.({ code: 'storage.corrupt_record', record, message });
  }

  #snapshotRecord(row: SnapshotRow, active: boolean): SnapshotRecord | undefined {
    if (row.kind === 'document') {
      if (!this.#check(row.row, active)) return undefined;
      const [, collection, id, version, fields, expiresAt, , , json] = row.row;
      const index = fieldsFromText(fields);
      const expiry = expiresAt === null ? {} : { expiresAt };
      return { kind: 'document', collection, id, version, json, index, ...expiry };
    }
    if (row.kind === 'entry') {
      const { log } = row;
      const [sequence, text] = row.row;
      const entry = entryIfWhole(this.#seedOf(log), text);
      if (entry !== undefined) return { kind: 'entry', log, ...entry };
      this.#damaged(`entry ${log}#${sequence}`, active ? { kind: 'entry', log, sequence } : undefined);
      return undefined;
    }
    const { log, number, lastSequence, crc, greatest } = row;
    if (logChecksum(log, number, lastSequence) === crc)
      return { kind: 'log', log, lastSequence: Math.max(lastSequence, greatest) };
    this.report({ record: `log ${log}`, message: `The counter of the log ${log} failed its checksum.` });
    return { kind: 'log', log, lastSequence: credibleLastSequence(lastSequence, greatest) };
  }

  /** The rows of a snapshot come log by log. */
  #seedOf(log: string): number {
    if (this.#seed?.log !== log) this.#seed = { log, seed: entrySeed(log) };
    return this.#seed.seed;
  }

  #check(row: DocumentRow, active: boolean): boolean {
    if (isWholeDocument(row)) return true;
    const [key, collection, id] = row;
    this.#damaged(`document ${collection}/${id}`, active ? { kind: 'document', key } : undefined);
    return false;
  }

  #damaged(record: string, toSetAside: DamagedRecord | undefined): void {
    // One of a generation that is not active may have the name of one that is, and must not hide it.
    const name = toSetAside === undefined ? `elsewhere ${record}` : record;
    if (this.#reported.has(name)) return;
    this.#reported.add(name);
    this.report({
      record,
      message: `The ${record} failed its checksum; it was set aside and is not served.`,
    });
    if (toSetAside === undefined) return;
    this.#setAside(toSetAside).then(
      () => this.#reported.delete(name),
      // It could not be written (a full disk, say): it stays where it is, and stays reported.
      () => undefined,
    );
  }
}
