/**
 * A store of known content: what the damage suites damage, and how they see whether what is read of it is right. Records of
 * many sizes and kinds, versions that were replaced, documents that were removed, logs that were trimmed, and at the end
 * commits that are still in whatever journal the adapter keeps.
 */
import { isCoded } from '../../base/errors.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Operation, Storage, StorageFault } from '../storage.ts';

const COLLECTIONS = ['sessions', 'agents', 'settings'];
export const REFERENCE_LOGS = ['events', 'messages/one', 'messages/two with spaces', 'audit'];
const DOCUMENTS = 40;
const ROUNDS = 3;
/** In the last round only every so-manieth document is put again. */
const LAST_ROUND_STEP = 4;
const TRIMMED = 7;

/** Tells which commit was the last. */
const LAST = { collection: 'settings', id: 'last-commit' };

const documentId = (i: number) => `id-${String(i).padStart(3, '0')}`;

/** From some bytes to more than a page of any database. */
function text(name: string, i: number): string {
  const times = (i * i) % 37;
  return `${name} ${i} ünïcödé `.repeat(1 + (i % 7 === 0 ? times * 6 : times));
}

function putDocument(collection: string, i: number, round: number): Operation {
  return {
    kind: 'put',
    collection,
    id: documentId(i),
    value: { i, round, text: text(collection, i + round) },
    index: { rank: i, title: `Title ${i % 5}` },
    ...(i % 11 === 0 ? { expiresAt: Date.UTC(2100, 0, i + 1) } : {}),
  };
}

function makeCommits(): Operation[][] {
  const commits: Operation[][] = [];
  const add = (operations: Operation[]) =>
    commits.push([
      ...operations,
      { kind: 'put', ...LAST, value: commits.length + 1, index: { rank: 1_000 } },
    ]);
  for (let round = 0; round < ROUNDS; round++) {
    const step = round === ROUNDS - 1 ? LAST_ROUND_STEP : 1;
    for (let i = 0; i < DOCUMENTS; i += step) {
      add([
        ...COLLECTIONS.map((collection) => putDocument(collection, i, round)),
        ...REFERENCE_LOGS.map(
          (log): Operation => ({ kind: 'append', log, value: { i, round, text: text(log, i) } }),
        ),
      ]);
    }
    add([
      { kind: 'delete', collection: 'agents', id: documentId(round) },
      { kind: 'trim', log: 'audit', through: TRIMMED },
    ]);
  }
  return commits;
}

export const REFERENCE_COMMITS: readonly Operation[][] = makeCommits();
/** Those from here on are made by a process that is killed right after them. */
export const KILLED_AFTER = DOCUMENTS * (ROUNDS - 1) + ROUNDS - 1;

/** Everything that can be read: its way and name, and its content. */
export type Readings = Map<string, string>;

export interface ReadReport {
  readings: Readings;
  /** The ways that were refused, and why. */
  refusals: Map<string, string>;
  /** Refused with something else than an error of the port: never right. */
  untyped: string[];
}

/** Reads everything by every way there is. */
export async function readEverything(storage: Storage): Promise<ReadReport> {
  const report: ReadReport = { readings: new Map(), refusals: new Map(), untyped: [] };
  type Put = (record: string, ...content: unknown[]) => void;
  const way = async (name: string, read: (put: Put) => Promise<void>) => {
    try {
      await read((record, ...content) => report.readings.set(`${name}: ${record}`, JSON.stringify(content)));
    } catch (error) {
      report.refusals.set(`${name}: `, String(error));
      if (!isCoded(error) || !error.code.startsWith('storage.'))
        report.untyped.push(`${name}: ${String(error)}`);
    }
  };
  for (const collection of COLLECTIONS) {
    const ids = Array.from({ length: DOCUMENTS }, (_, i) => documentId(i));
    if (collection === LAST.collection) ids.push(LAST.id);
    await Promise.all(
      ids.map((id) =>
        way(`get ${collection}/${id}`, async (put) => {
          const found = await storage.get(collection, id);
          if (found === undefined) return;
          put(`document ${collection}/${id}`, found.version, found.value, found.expiresAt);
        }),
      ),
    );
    for (const orderBy of [undefined, { field: 'rank', direction: 'ascending' as const }]) {
      await way(`list ${collection} by ${orderBy?.field ?? 'id'}`, async (put) => {
        const { items } = await storage.list(collection, {
          limit: 1000,
          ...(orderBy === undefined ? {} : { orderBy }),
        });
        for (const { id, version, value, expiresAt } of items) {
          put(`document ${collection}/${id}`, version, value, expiresAt);
        }
      });
    }
  }
  for (const log of REFERENCE_LOGS) {
    await way(`read ${log}`, async (put) => {
      for (const { sequence, value } of await storage.read(log, { limit: 10_000 })) {
        put(`entry ${log}#${sequence}`, value);
      }
    });
  }
  await way('snapshot', async (put) => {
    for await (const batch of storage.snapshot()) {
      for (const record of batch) {
        if (record.kind === 'document') {
          const { collection, id, version, json, index, expiresAt } = record;
          put(`document ${collection}/${id}`, version, json, Object.entries(index).sort(), expiresAt);
        } else if (record.kind === 'entry') put(`entry ${record.log}#${record.sequence}`, record.json);
        else put(`log ${record.log}`, record.lastSequence);
      }
    }
  });
  return report;
}

const truths = new Map<number, Promise<Readings>>();

/** What is right after so many of the commits. */
function truthAfter(commits: number): Promise<Readings> {
  const known = truths.get(commits) ?? replay(commits);
  truths.set(commits, known);
  return known;
}

async function replay(commits: number): Promise<Readings> {
  const memory = new MemoryStorage();
  await memory.open();
  for (const operations of REFERENCE_COMMITS.slice(0, commits)) await memory.commit(operations);
  const { readings } = await readEverything(memory);
  await memory.close();
  return readings;
}

export interface Verdict {
  /** What was served and is not what was stored, or is silently missing. */
  wrong: string[];
  /** Records that cannot be read any more by some way, each of them told. */
  lost: string[];
  /** Commits of the journal that are gone as a whole. */
  rolledBack: number;
}

const nameOf = (key: string) => key.slice(key.indexOf(': ') + 2);

/**
 * Compares what was read of damaged data with what is right, and with what was told of the damage. That commits of the
 * journal are gone, each as a whole, counts as told when a fault says so of the journal, or when `mayRollBack`.
 */
export async function judge(
  report: ReadReport,
  faults: StorageFault[],
  options: { mayRollBack?: boolean } = {},
): Promise<Verdict> {
  const wrong = [...report.untyped];
  const rollBackTold = options.mayRollBack === true || faults.some(({ record }) => /^journal\b/.test(record));
  const gone = rollBackTold ? await goneCommits(report.readings) : [];
  const truth = await truthWithout(gone);
  for (const [key, content] of report.readings) {
    const right = truth.get(key);
    if (right === undefined) wrong.push(`${key} was never there`);
    else if (right !== content) wrong.push(`${key} is ${content.slice(0, 80)}, not ${right.slice(0, 80)}`);
  }
  const refused = [...report.refusals.keys()];
  const missing = new Set<string>();
  for (const key of truth.keys()) {
    if (!report.readings.has(key) && !refused.some((way) => key.startsWith(way))) missing.add(nameOf(key));
  }
  // Each needs a fault that names it, or one that names what the damage has made of its name.
  const told = new Set(faults.map(({ record }) => record.replace(/^index of /, 'document ')));
  const records = new Set([...truth.keys()].map(nameOf));
  let renamed = [...told].filter((name) => !records.has(name)).length;
  for (const record of missing) {
    if (told.has(record)) continue;
    renamed -= 1;
    if (renamed < 0) wrong.push(`${record} is silently missing`);
  }
  return { wrong, lost: [...missing], rolledBack: gone.length };
}

/** The numbers of the commits of the journal, from 1. No two of them write the same record, but for the one that counts them. */
const JOURNALED = REFERENCE_COMMITS.map((_, i) => i + 1).slice(KILLED_AFTER);

const changes = new Map<number, Promise<string[]>>();

/** What a commit of the journal changes, by way and name. */
function changedBy(commit: number): Promise<string[]> {
  const known = changes.get(commit) ?? compareTruths(commit - 1, commit);
  changes.set(commit, known);
  return known;
}

async function compareTruths(earlier: number, later: number): Promise<string[]> {
  const [before, after] = await Promise.all([truthAfter(earlier), truthAfter(later)]);
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].filter((key) => !isCounter(key) && before.get(key) !== after.get(key));
}

/** Moved on by every commit: a log's last number, and the document that says which commit was the last. */
const isCounter = (key: string) => nameOf(key).startsWith('log ') || nameOf(key).endsWith(`/${LAST.id}`);

/** The commits of the journal of which nothing is there. */
async function goneCommits(readings: Readings): Promise<number[]> {
  const gone: number[] = [];
  for (const commit of JOURNALED) {
    const after = await truthAfter(commit);
    const changed = await changedBy(commit);
    const trace = (key: string) =>
      after.has(key) ? readings.get(key) === after.get(key) : !readings.has(key);
    if (!changed.some(trace)) gone.push(commit);
  }
  return gone;
}

/** What is right when some commits of the journal are gone as a whole. */
async function truthWithout(gone: number[]): Promise<Readings> {
  const last = Math.max(KILLED_AFTER, ...JOURNALED.filter((commit) => !gone.includes(commit)));
  const truth = new Map(await truthAfter(last));
  const before = await truthAfter(KILLED_AFTER);
  for (const commit of gone.filter((number) => number < last)) {
    for (const key of await changedBy(commit)) {
      const content = before.get(key);
      if (content === undefined) truth.delete(key);
      else truth.set(key, content);
    }
  }
  const kept = JOURNALED.filter((commit) => !gone.includes(commit));
  for (const key of truth.keys()) {
    if (nameOf(key).startsWith('log ')) truth.set(key, await counterAfter(key, before.get(key), kept));
  }
  return truth;
}

/** The last number of a log when only these commits of the journal have moved it on. */
async function counterAfter(
  key: string,
  before: string | undefined,
  kept: readonly number[],
): Promise<string> {
  let counter = before ?? '';
  for (const commit of kept) {
    const [earlier, later] = await Promise.all([truthAfter(commit - 1), truthAfter(commit)]);
    if (earlier.get(key) !== later.get(key)) counter = later.get(key) ?? counter;
  }
  return counter;
}
