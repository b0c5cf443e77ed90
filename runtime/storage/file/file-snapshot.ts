import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemCodeOf } from '../../base/errors.ts';
import { fieldsFromText } from '../checked-input.ts';
import { compareText } from '../collation.ts';
import { SNAPSHOT_BATCH_BYTES, SNAPSHOT_BATCH_RECORDS, SnapshotBatch } from '../snapshot-batch.ts';
import type { SnapshotRecord } from '../storage.ts';
import { type DataIndex, type DocumentEntry, isLiving, type LogState } from './data-index.ts';
import { logPath } from './file-names.ts';
import type { HeldVersions } from './held-versions.ts';
import { decodeEntry } from './log-lines.ts';
import { type EntryVisitor, LogReader, type Place } from './log-reader.ts';

/** The event loop gets its turn after so many ms of reading. */
const TURN_MS = 4;

export interface SnapshotFaults {
  document(entry: DocumentEntry): void;
  entries(log: string, sequences: number[]): void;
}

/**
 * Everything as it was when this was made: the versions of that moment by reference, their values read when they are asked
 * for.
 */
export class FileSnapshot {
  readonly #held: HeldVersions;
  readonly #faults: SnapshotFaults;
  readonly #documents: DocumentEntry[];
  readonly #logs: LogState[];
  readonly #logReader = new LogReader({ keepsBuffer: true });

  constructor(held: HeldVersions, index: DataIndex, now: number, faults: SnapshotFaults) {
    this.#held = held;
    this.#faults = faults;
    const names = [...index.collections.keys()].sort(compareText);
    this.#documents = names.flatMap((name) =>
      [...(index.collections.get(name)?.ordered.from(() => false) ?? [])].filter((entry) =>
        isLiving(entry, now),
      ),
    );
    this.#logs = [...index.logs.values()]
      .map((log) => ({ ...log, pending: log.pending.slice() }))
      .sort((a, b) => compareText(a.log, b.log));
  }

  async *batches(): AsyncGenerator<SnapshotRecord[], void, void> {
    const batch = new SnapshotBatch();
    let turn = performance.now();
    for await (const record of this.#records()) {
      const full = batch.add(record);
      if (full.length > 0) yield* full;
      else if (performance.now() - turn < TURN_MS) continue;
      else await nextTurn();
      turn = performance.now();
    }
    yield* batch.rest();
  }

  async *#records(): AsyncGenerator<SnapshotRecord, void, void> {
    for (const entry of this.#documents) {
      const value = await this.#held.valueOf(entry);
      if (value === undefined) {
        this.#faults.document(entry);
        continue;
      }
      const { collection, id, version, fields, expiresAt } = entry;
      const index = fieldsFromText(fields);
      const expiry = expiresAt === null ? {} : { expiresAt };
      yield { kind: 'document', collection, id, version, json: value.json(), index, ...expiry };
    }
    for (const log of this.#logs) {
      yield { kind: 'log', log: log.log, lastSequence: log.last };
      yield* this.#entries(log);
    }
  }

  async *#entries(log: LogState): AsyncGenerator<SnapshotRecord, void, void> {
    const { log: name, after, carried } = log;
    let ended: Place | undefined;
    for (let passed = after; passed < carried; ) {
      const page = await this.#page(log, passed, ended);
      yield* page.records;
      passed = page.through;
      ended = page.ended;
    }
    for (const { sequence, at, json } of log.pending) {
      if (sequence > after && sequence > carried) yield { kind: 'entry', log: name, sequence, at, json };
    }
  }

  /** Some entries of the file behind a number, and up to where they reach. `before` is where those before ended. */
  async #page(
    log: LogState,
    after: number,
    before: Place | undefined,
  ): Promise<{ records: SnapshotRecord[]; through: number; ended?: Place | undefined }> {
    const file = await this.#held.logFile(logPath(log.log));
    const records: SnapshotRecord[] = [];
    let through = log.carried;
    let bytes = 0;
    const range = { after, through: log.carried, limit: SNAPSHOT_BATCH_RECORDS };
    let ended: Place | undefined;
    try {
      const visitor: EntryVisitor = {
        entry(line, start, end, encoding) {
          const { sequence, at, json } = decodeEntry(line, start, end, encoding);
          records.push({ kind: 'entry', log: log.log, sequence, at, json });
          bytes += json.length;
          return bytes < SNAPSHOT_BATCH_BYTES;
        },
        damaged: (sequences) => this.#faults.entries(log.log, sequences),
      };
      ended = this.#logReader.readPart(file, log.log, log.size, range, visitor, before);
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw error;
      this.#held.check();
      this.#faults.entries(log.log, [after + 1]);
      return { records, through };
    }
    const last = records.at(-1);
    const more = records.length === SNAPSHOT_BATCH_RECORDS || bytes >= SNAPSHOT_BATCH_BYTES;
    if (more && last?.kind === 'entry') through = last.sequence;
    return { records, through, ended };
  }
}
