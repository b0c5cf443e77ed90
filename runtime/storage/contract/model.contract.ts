import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isCoded } from '../../base/errors.ts';
import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type {
  CommitId,
  Filter,
  IndexValue,
  ListQuery,
  Operation,
  ReadQuery,
  SnapshotRecord,
  Storage,
} from '../storage.ts';
import { type ContractFixture, recordsOf, type TestClock } from './fixture.ts';

/** One step of a run; it is carried out on the model and on the storage under test, and must have the same outcome. */
type Step =
  | { kind: 'commit'; operations: Operation[]; named: boolean }
  /** Sends one of the named commits again; which of them, counted from the last. */
  | { kind: 'again'; back: number }
  | { kind: 'concurrent'; commits: Operation[][] }
  | { kind: 'get'; collection: string; id: string }
  | { kind: 'list'; collection: string; query: ListQuery }
  | { kind: 'read'; log: string; query: ReadQuery }
  | { kind: 'pass'; ms: number }
  | { kind: 'restart' }
  /** Some of what is there, in a new generation; the logs may go on from large numbers. */
  | { kind: 'restore'; keepEvery: number; large: boolean }
  | { kind: 'undo' };

// Few names, so that the steps meet each other.
const collection = fc.constantFrom('alpha', 'beta');
const id = fc.constantFrom('a', 'b', 'c', 'ä', '\uffff', '😀', '__proto__');
const log = fc.constantFrom('events', 'messages/a', 'messages/b');
/** What logs may be told to go on from: more than 32 bits, and near the greatest number that there is. */
const LARGE = MAXIMUM_SEQUENCE - 10_000;
const nearby = (most: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.nat({ max: most }) },
    fc.nat({ max: most }).map((n) => LARGE + n),
  );
const field = fc.constantFrom('n', 'title', 'constructor');
const indexValue: fc.Arbitrary<IndexValue> = fc.oneof(
  fc.integer({ min: -2, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom('', 'a', 'A', 'ab', 'Straße', 'ς', 'Σ', '😀', '\ue000'),
);
const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.string({ unit: 'binary', maxLength: 50 }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        collection,
        id,
        value,
        index: maybe(fc.dictionary(field, indexValue, { maxKeys: 3 })),
        expectVersion: maybe(fc.integer({ min: 0, max: 3 })),
        expiresIn: maybe(fc.integer({ min: -5, max: 50 })),
      })
      // Expiries are told apart from the start of the run, which the shrinker then need not know.
      .map(
        ({ expiresIn, index, expectVersion, ...put }): Operation => ({
          kind: 'put',
          ...put,
          ...(index === undefined ? {} : { index }),
          ...(expectVersion === undefined ? {} : { expectVersion }),
          ...(expiresIn === undefined ? {} : { expiresAt: Date.UTC(2026, 0, 1) + expiresIn }),
        }),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ collection, id, expectVersion: maybe(fc.integer({ min: 0, max: 3 })) }).map(
      ({ expectVersion, ...remove }): Operation => ({
        kind: 'delete',
        ...remove,
        ...(expectVersion === undefined ? {} : { expectVersion }),
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('append' as const), log, value }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('trim' as const), log, through: nearby(6) }),
  },
);

const filter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({ field, is: indexValue }),
  fc.record({ field, isNot: indexValue }),
  fc.record({ field, in: fc.array(indexValue, { maxLength: 3 }) }),
  fc.record({ field, contains: fc.constantFrom('', 'a', 'B', 'STRA', 'ß', 'σ', '😀') }),
  fc.record({ field, from: indexValue }),
  fc.record({ field, from: indexValue, below: indexValue }),
);
const query: fc.Arbitrary<ListQuery> = fc
  .record({
    where: maybe(fc.array(filter, { maxLength: 3 })),
    orderBy: maybe(
      fc.record({ field, direction: fc.constantFrom('ascending' as const, 'descending' as const) }),
    ),
    limit: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ where, orderBy, limit }) => ({
    limit,
    ...(where === undefined ? {} : { where }),
    ...(orderBy === undefined ? {} : { orderBy }),
  }));
const sequence = nearby(10);
const readQuery: fc.Arbitrary<ReadQuery> = fc.record(
  { after: sequence, before: sequence, limit: fc.integer({ min: 1, max: 5 }), reverse: fc.boolean() },
  { requiredKeys: [] },
);

const operations = fc.array(operation, { maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), operations, named: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('again' as const), back: fc.nat({ max: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('concurrent' as const),
      commits: fc.array(operations, { maxLength: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), collection, id }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('list' as const), collection, query }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), log, query: readQuery }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 30 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      keepEvery: fc.integer({ min: 1, max: 3 }),
      large: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'undo' as const }) },
);

/** What a step came to: its result, or the code and data of its error. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (isCoded(error)) return { code: error.code, data: error.data };
    throw error;
  }
}

/** All the pages of a list, which must be the same ones. */
async function pagesOf(storage: Storage, collection: string, query: ListQuery): Promise<unknown> {
  const pages: unknown[] = [];
  let cursor: string | undefined;
  do {
    const page = await storage.list(collection, { ...query, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

async function restore(storage: Storage, keepEvery: number, large: boolean): Promise<void> {
  const writer = await storage.generations.create('restore');
  const kept = (await recordsOf(storage)).filter((record, i) => record.kind === 'log' || i % keepEvery === 0);
  const raised = (record: SnapshotRecord): SnapshotRecord =>
    record.kind === 'log' ? { ...record, lastSequence: Math.max(record.lastSequence, LARGE) } : record;
  await writer.write(large ? kept.map(raised) : kept);
  await writer.seal();
  await storage.generations.activate(writer.id);
}

async function undo(storage: Storage): Promise<void> {
  const previous = (await storage.generations.list()).find(({ active }) => active)?.previous;
  if (previous !== undefined) await storage.generations.activate(previous);
}

/** A commit with its id, as it was sent first. */
type NamedCommit = [operations: Operation[], id: CommitId];

async function carryOut(storage: Storage, current: Step, named: NamedCommit[]): Promise<unknown> {
  switch (current.kind) {
    case 'commit': {
      const last = named.at(-1);
      return outcome(current.named && last ? storage.commit(...last) : storage.commit(current.operations));
    }
    case 'again': {
      const sent = named.at(-1 - current.back);
      return sent === undefined ? undefined : outcome(storage.commit(...sent));
    }
    case 'concurrent':
      return Promise.all(current.commits.map((one) => outcome(storage.commit(one))));
    case 'get':
      return outcome(storage.get(current.collection, current.id));
    case 'list':
      return outcome(pagesOf(storage, current.collection, current.query));
    case 'read':
      return outcome(storage.read(current.log, current.query));
    case 'restore':
      return restore(storage, current.keepEvery, current.large);
    case 'undo':
      return undo(storage);
    default:
      return undefined;
  }
}

async function everything(storage: Storage): Promise<unknown> {
  const { documents } = await storage.stats();
  const generations = (await storage.generations.list()).map(({ reason, active }) => ({ reason, active }));
  return { records: await recordsOf(storage), documents, generations };
}

async function run(fixture: ContractFixture, clock: TestClock, steps: Step[]): Promise<void> {
  clock.time = Date.UTC(2026, 0, 1);
  const model = new MemoryStorage({ now: clock.now });
  await model.open();
  const underTest = await fixture.create({ now: clock.now });
  // Where two may be open on the same data, they take turns: neither may rely on what it remembers.
  const other = underTest.storage.supports.sharedByProcesses ? underTest.another?.() : undefined;
  try {
    await underTest.storage.open();
    await other?.open();
    const named: NamedCommit[] = [];
    for (const [turn, current] of steps.entries()) {
      if (current.kind === 'commit' && current.named) {
        named.push([current.operations, { writer: 'model', number: named.length + 1 }]);
      }
      if (current.kind === 'pass') clock.time += current.ms;
      if (current.kind === 'restart') await underTest.reopen();
      const expected = await carryOut(model, current, named);
      const storage = turn % 2 === 1 && other !== undefined ? other : underTest.storage;
      expect(await carryOut(storage, current, named)).toEqual(expected);
    }
    expect(await everything(underTest.storage)).toEqual(await everything(model));
  } finally {
    await Promise.all([underTest.storage.close(), other?.close()]);
    await underTest.dispose();
  }
}

export function modelCases(fixture: ContractFixture): void {
  it('does what the model does, whatever it is told', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) =>
        run(fixture, fixture.clock, steps),
      ),
      // Each run makes a storage of its own, which takes a server many round trips.
      { numRuns: fixture.storage.supports.remote ? 25 : 60 },
    );
  });
}
