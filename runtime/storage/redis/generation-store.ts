import { randomId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import { fieldsToText, SnapshotRecordCheck } from '../checked-input.ts';
import { valueChecksum } from '../checksum.ts';
import type { Generation, GenerationWriter, SnapshotRecord } from '../storage.ts';
import type { DamagedRecords } from './damaged-records.ts';
import {
  ACTIVATE,
  BUILD,
  CREATE_GENERATION,
  DROP_SOME,
  INITIALISE,
  LAPSED,
  LIST_GENERATIONS,
  MARK_DROPPED,
  RAISE_LOGS,
  RENEW,
  SEAL,
} from './generation-scripts.ts';
import { encodedFields, fieldsText } from './index-text.ts';
import {
  entryText,
  type GenerationRecord,
  generationText,
  goneText,
  headParts,
  headText,
  type LogSum,
  logPrefix,
  logSumOf,
  parseCounter,
  parseGeneration,
} from './record-text.ts';
import type { RedisArgument } from './redis-connection.ts';
import type { RedisServer } from './redis-server.ts';
import type { OpenSnapshot } from './snapshot-reader.ts';
import { BEGIN_SNAPSHOT, END_SNAPSHOT, SNAPSHOT_LOGS } from './snapshot-scripts.ts';

/** Builders and snapshots whose process is not heard of for so long are given up, in ms. */
const LEASE_MS = 60_000;
/** Values in one script that builds, in characters; and records. */
const PAGE = { characters: 1024 * 1024, records: 500 };
const FORMAT = 2;
const RAISED_AT_ONCE = 200;
/** Characters of the id of a generation: it stands in the name of each key, so in each command of a commit. */
const ID_LENGTH = 8;

interface Known {
  id: string;
  text: string;
  record: GenerationRecord;
}

/** The generations, and what is leased: those that are being built, and snapshots. */
export class GenerationStore {
  readonly #server: RedisServer;
  readonly #damaged: DamagedRecords;
  readonly #now: () => number;
  /** What this process holds a lease of. */
  readonly #leased = new Set<string>();

  constructor(server: RedisServer, damaged: DamagedRecords, now: () => number) {
    this.#server = server;
    this.#damaged = damaged;
    this.#now = now;
  }

  /** Makes the first generation when there is none; rejects with `storage.newer_version`, `storage.failed` or `storage.corrupt`. */
  async open(): Promise<void> {
    const createdAt = this.#now();
    const id = randomId(ID_LENGTH);
    const record = generationText(id, { createdAt, reason: 'first', state: 'sealed', order: 1 });
    const [active, format] = (await this.#server.run(INITIALISE, id, record, FORMAT)) as (string | null)[];
    if (Number(format) > FORMAT) {
      throw fault(
        'storage.newer_version',
        `The data in Redis was written by a newer version (format ${format}).`,
      );
    }
    if (format !== null && Number(format) < FORMAT) {
      throw fault(
        'storage.failed',
        `The data in Redis is of format ${format}, which only a version before the first release has written. Take another namespace or database, or empty this one.`,
      );
    }
    this.#server.follow(active);
    await this.#known();
    await this.giveUpLapsed();
  }

  /** Gives up what this process holds. */
  async close(): Promise<void> {
    for (const name of this.#leased) await this.#giveUp(name);
  }

  async renew(): Promise<void> {
    if (this.#leased.size > 0) await this.#server.run(RENEW, LEASE_MS, ...this.#leased);
  }

  async giveUpLapsed(): Promise<void> {
    for (const name of (await this.#server.run(LAPSED)) as string[]) await this.#giveUp(name);
    for (const { id, record } of await this.#known()) if (record.state === 'dropped') await this.#remove(id);
  }

  async list(): Promise<Generation[]> {
    const known = (await this.#known()).filter(({ record }) => record.state === 'sealed');
    return known
      .toSorted((a, b) => a.record.order - b.record.order)
      .map(({ id, record: { createdAt, reason, previous, activatedAt } }) => ({
        id,
        createdAt,
        reason,
        active: id === this.#server.active,
        ...(known.some((other) => other.id === previous) ? { previous: previous as string } : {}),
        ...(activatedAt === undefined ? {} : { activatedAt }),
      }));
  }

  async create(reason: string): Promise<{
    id: string;
    write: GenerationWriter['write'];
    seal: GenerationWriter['seal'];
    discard: GenerationWriter['discard'];
  }> {
    await this.giveUpLapsed();
    const createdAt = this.#now();
    const orders = (await this.#known()).map(({ record }) => record.order);
    const record: GenerationRecord = {
      createdAt,
      reason,
      state: 'building',
      order: Math.max(0, ...orders) + 1,
    };
    let id: string;
    do id = randomId(ID_LENGTH);
    while ((await this.#server.run(CREATE_GENERATION, id, generationText(id, record), LEASE_MS)) === 0);
    const lease = `g:${id}`;
    this.#leased.add(lease);
    const check = new SnapshotRecordCheck();
    const pages = new BuildPages();
    let page = 0;
    const build = async (args: RedisArgument[]) => {
      page += 1;
      const answer = await this.#server.run(BUILD, id, page, ...args);
      if (answer === 'gone') throw closed();
      if (answer !== 'ok') throw fault('storage.invalid', `The ${String(answer)} is there twice.`);
    };
    const closed = () => fault('storage.invalid', `The generation ${id} takes nothing more.`);
    return {
      id,
      write: async (records) => {
        if (!this.#leased.has(lease)) throw closed();
        for (const one of records) check.check(one);
        for (const args of pages.of(records)) await build(args);
      },
      seal: async () => {
        const sealed = generationText(id, { ...record, state: 'sealed' });
        if (!this.#leased.has(lease)) throw closed();
        const rest = pages.rest();
        if (rest.length > 0) await build(rest);
        if ((await this.#server.run(SEAL, id, sealed)) !== 1) throw closed();
        this.#leased.delete(lease);
      },
      discard: async () => {
        if (this.#leased.has(lease)) await this.#giveUp(lease);
      },
    };
  }

  async activate(id: string): Promise<void> {
    for (;;) {
      const known = await this.#known();
      const next = sealedOf(known, id);
      const active = this.#server.active;
      if (id === active) return;
      const watch = await this.beginSnapshot(active);
      try {
        await this.#raiseLogs(watch, id);
        const record = { ...next.record, previous: active, activatedAt: this.#now() };
        const answer = await this.#server.run(
          ACTIVATE,
          active,
          id,
          next.text,
          generationText(id, record),
          watch.id,
        );
        if (typeof answer === 'string' && answer !== '') this.#server.follow(answer);
        if (answer === id) return;
      } finally {
        await this.endSnapshot(watch.id);
      }
    }
  }

  async drop(id: string): Promise<void> {
    const { text, record } = sealedOf(await this.#known(), id);
    const dropped = generationText(id, { ...record, state: 'dropped' });
    if ((await this.#server.run(MARK_DROPPED, id, text, dropped)) !== 1) {
      throw fault('storage.invalid', 'The active generation cannot be dropped.');
    }
    await this.#remove(id);
  }

  /** Of a sealed generation, or of the active one. */
  async beginSnapshot(generation?: string): Promise<OpenSnapshot> {
    if (generation !== undefined) sealedOf(await this.#known(), generation);
    const id = randomId(16);
    const answer = (await this.#server.run(BEGIN_SNAPSHOT, id, generation ?? '', LEASE_MS)) as string[];
    const [of = '', ...collections] = answer;
    if (of === '') throw fault('storage.invalid', `There is no sealed generation ${generation}.`);
    this.#leased.add(`s:${id}`);
    return { id, generation: of, collections };
  }

  async endSnapshot(id: string): Promise<void> {
    await this.#giveUp(`s:${id}`);
  }

  async #giveUp(name: string): Promise<void> {
    this.#leased.delete(name);
    const id = name.slice(2);
    if (name.startsWith('s:')) {
      while (Number(await this.#server.run(END_SNAPSHOT, id)) > 0);
      return;
    }
    const dropped: GenerationRecord = { createdAt: 0, reason: 'given up', state: 'dropped', order: 0 };
    await this.#server.run(MARK_DROPPED, id, '', generationText(id, dropped));
    await this.#remove(id);
  }

  /** In steps that hold nobody up; what an open snapshot needs is left for later. */
  async #remove(id: string): Promise<void> {
    while ((await this.#server.run(DROP_SOME, id)) === 0);
  }

  /** Before the switch, page by page, whatever is written meanwhile: those logs are raised again in the switch itself. */
  async #raiseLogs(watch: OpenSnapshot, next: string): Promise<void> {
    let after = '';
    for (;;) {
      const { id, generation } = watch;
      const answer = await this.#server.run(SNAPSHOT_LOGS, id, generation, after, RAISED_AT_ONCE);
      const page = (answer as (string | number)[]).slice(1);
      if (page.length === 0) return;
      const args: RedisArgument[] = [];
      for (let i = 0; i < page.length; i += 3) {
        const [log, counter, damaged] = page.slice(i, i + 3) as [string, string, number];
        if (damaged > 0) this.#damaged.found([`log ${log}`]);
        const parsed = parseCounter(log, counter);
        if (parsed !== undefined) args.push(log, logPrefix(log), parsed.last);
      }
      after = page.at(-3) as string;
      if (args.length > 0) await this.#server.run(RAISE_LOGS, next, ...args);
    }
  }

  async #known(): Promise<Known[]> {
    const [active, ...pairs] = (await this.#server.run(LIST_GENERATIONS)) as string[];
    const known: Known[] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const [id, text] = pairs.slice(i, i + 2) as [string, string];
      const record = parseGeneration(id, text);
      if (record !== undefined) known.push({ id, text, record });
    }
    if (!known.some(({ id }) => id === active)) {
      throw fault('storage.corrupt', 'What Redis keeps of the active generation of the data is damaged.');
    }
    this.#server.follow(active);
    return known;
  }
}

function sealedOf(known: Known[], id: string): Known {
  const found = known.find((one) => one.id === id && one.record.state === 'sealed');
  if (found === undefined) throw fault('storage.invalid', `There is no sealed generation ${id}.`);
  return found;
}

/** Records as arguments of the script that builds, in pages of bounded size. */
class BuildPages {
  /** The log whose entries are written, with the last number that it must come to. */
  #log: { name: string; last: number; written: number; sum: LogSum } | undefined;

  *of(records: SnapshotRecord[]): Generator<RedisArgument[], void, void> {
    let page: RedisArgument[] = [];
    let characters = 0;
    let count = 0;
    for (const record of records) {
      if (record.kind === 'document') {
        const { collection, id, version, json, index, expiresAt = null } = record;
        const fields = fieldsText(encodedFields(fieldsToText(index)));
        const parts = headParts(collection, id, valueChecksum(json), fields, expiresAt);
        page.push('p', collection, id, json, headText(parts, version), parts.fields, parts.expiry);
        characters += json.length;
      } else if (record.kind === 'log') {
        const { log, lastSequence } = record;
        page.push(...this.rest(), 'l', log);
        this.#log = { name: log, last: lastSequence, written: -1, sum: logSumOf(log) };
      } else {
        const { log, sequence, at, json } = record;
        // Whoever checked the records knows that they stand in their log.
        if (this.#log?.name !== log) continue;
        page.push('e', log, entryText(sequence, at, json, this.#log.sum));
        this.#log.written = sequence;
        characters += json.length;
      }
      count += 1;
      if (characters >= PAGE.characters || count >= PAGE.records) {
        yield page;
        page = [];
        characters = 0;
        count = 0;
      }
    }
    if (page.length > 0) yield page;
  }

  /** What brings the log to its last number, if its last entry has another one. */
  rest(): RedisArgument[] {
    if (this.#log === undefined || this.#log.written === this.#log.last) return [];
    const { name, last } = this.#log;
    this.#log.written = last;
    return ['e', name, goneText(name, last)];
  }
}
