import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { isCoded } from '../../base/errors.ts';
import { recordsOf } from '../contract/fixture.ts';
import { DegradedStorage } from '../degraded.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { ListQuery, Operation, ReadQuery, Storage } from '../storage.ts';
import { type Outage, RemoteStorage } from './remote.fixture.ts';

const COLLECTIONS = ['alpha', 'beta'] as const;
const IDS = ['a', 'b', 'ä', '__proto__'] as const;
const LOGS = ['events', 'messages/a'] as const;

type Step =
  | { kind: 'commit'; operations: Operation[] }
  | { kind: 'get'; collection: string; id: string }
  | { kind: 'list'; collection: string; query: ListQuery }
  | { kind: 'read'; log: string; query: ReadQuery }
  | { kind: 'weather'; outage: Outage | undefined }
  | { kind: 'wait' }
  | { kind: 'restart' };

const collection = fc.constantFrom(...COLLECTIONS);
const id = fc.constantFrom(...IDS);
const log = fc.constantFrom(...LOGS);
const value = fc.jsonValue({ maxDepth: 1 });
const expectVersion = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined });
const optional = <T extends object>(part: T): Partial<T> =>
  Object.fromEntries(Object.entries(part).filter(([, each]) => each !== undefined)) as Partial<T>;

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ collection, id, value, rank: fc.integer({ min: 0, max: 3 }), expectVersion })
      .map(({ rank, value: content, expectVersion: expected, ...put }): Operation => {
        // In the value as well: a document that was only read has to be listed by that.
        const fields = { value: { rank, content }, index: { rank } };
        return { kind: 'put', ...put, ...fields, ...optional({ expectVersion: expected }) };
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ collection, id, expectVersion })
      .map(({ expectVersion: expected, ...remove }): Operation => {
        return { kind: 'delete', ...remove, ...optional({ expectVersion: expected }) };
      }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('append' as const), log, value }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('trim' as const), log, through: fc.nat({ max: 8 }) }),
  },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      operations: fc.array(operation, { maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), collection, id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('list' as const),
      collection,
      query: fc.record({
        limit: fc.integer({ min: 1, max: 3 }),
        orderBy: fc.constant({ field: 'rank', direction: 'descending' as const }),
      }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      log,
      query: fc.record(
        {
          after: fc.nat({ max: 8 }),
          before: fc.nat({ max: 12 }),
          limit: fc.integer({ min: 1, max: 4 }),
          reverse: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('weather' as const),
      outage: fc.constantFrom<Outage | undefined>(undefined, 'before', 'after'),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'wait' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

/** What a call came to: its result, or the code and data of its error. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (isCoded(error)) return { code: error.code, data: error.data };
    throw error;
  }
}

const isRefused = (result: unknown) =>
  (result as { code?: string } | undefined)?.code === 'storage.version_conflict';
const isLost = (result: unknown) => (result as { code?: string } | undefined)?.code === 'storage.unreachable';

function carryOut(storage: Storage, current: Step): Promise<unknown> {
  switch (current.kind) {
    case 'commit':
      return outcome(storage.commit(current.operations));
    case 'get':
      return outcome(storage.get(current.collection, current.id));
    case 'list':
      return outcome(storage.list(current.collection, current.query));
    case 'read':
      return outcome(storage.read(current.log, current.query));
    default:
      return Promise.resolve(undefined);
  }
}

/** Touches everything once, so that all of it is known and each step has the same outcome as without an outage. */
const FIRST: Operation[] = [
  ...COLLECTIONS.flatMap((name) =>
    IDS.map((one): Operation => ({ kind: 'delete', collection: name, id: one })),
  ),
  ...LOGS.map((name): Operation => ({ kind: 'append', log: name, value: 0 })),
];

async function run(steps: Step[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'smalltalk-degraded-'));
  const clock = new VirtualClock();
  // Entries that are drained are as old as their draining: time stands still here, so that all can be compared.
  const now = () => 0;
  const model = new MemoryStorage({ now });
  const server = new MemoryStorage({ now });
  await Promise.all([model.open(), server.open()]);
  const remote = new RemoteStorage({ now }, server);
  const storage = new DegradedStorage({ storage: remote, folder, clock, now });
  const isBack = async () => {
    while (storage.mode().state !== 'normal') await clock.advance(10_000);
  };
  const readAll = async () => {
    for (const name of COLLECTIONS) for (const one of IDS) await storage.get(name, one);
    for (const name of LOGS) await storage.read(name);
  };
  /** What commits of unknown fate have touched is not known after the outage, until it is read. */
  let uncertain = false;
  const readUncertain = async () => {
    if (!uncertain || storage.mode().state !== 'normal') return;
    const weather = remote.fails;
    remote.fails = () => undefined;
    await readAll();
    remote.fails = weather;
    uncertain = false;
  };
  /** Opening forgets what was known; it is all read once more. */
  const open = async () => {
    await storage.open();
    for (const name of LOGS) await storage.commit([{ kind: 'append', log: name, value: 'opened' }]);
    await readAll();
  };
  try {
    await storage.open();
    await storage.commit(FIRST);
    await model.commit(FIRST);
    for (const current of steps) {
      await readUncertain();
      if (current.kind === 'weather') remote.fails = () => current.outage;
      else if (current.kind === 'wait') await clock.advance(1_000);
      else if (current.kind === 'restart') {
        await storage.close();
        remote.fails = () => undefined;
        await open();
        await model.commit(LOGS.map((name) => ({ kind: 'append', log: name, value: 'opened' })));
      } else {
        const expected = await carryOut(model, current);
        const actual = await carryOut(storage, current);
        // Sent, and its answer lost: that it was refused cannot be known.
        if (isRefused(expected) && isLost(actual)) uncertain = true;
        else expect(actual).toEqual(expected);
      }
    }
    remote.fails = () => undefined;
    await isBack();
    await readUncertain();
    expect(await recordsOf(server)).toEqual(await recordsOf(model));
    for (const name of COLLECTIONS) {
      const query = { limit: 100 };
      expect(await storage.list(name, query)).toEqual(await model.list(name, query));
    }
  } finally {
    await storage.close();
    await rm(folder, { recursive: true, force: true });
  }
}

it('does what a storage does that was never away, whatever the outages', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => run(steps)),
    { numRuns: 60 },
  );
});
