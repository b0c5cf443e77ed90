import { expect, it } from 'vitest';
import type { CommitId, Operation } from '../../storage.ts';
import { rejection } from '../fixture.ts';
import { append, outcomeOf, PATIENCE, put, type RemoteFaultFixture, untilThere } from './fixture.ts';
import { Ledger } from './ledger.ts';

/** The connection is cut: before, in and after a request. */
export function cutCases(fixture: RemoteFaultFixture): void {
  it.each<[string, (piece: Buffer) => number]>([
    ['before the request', () => 0],
    ['in the middle of the request', (piece) => Math.floor(piece.length / 2)],
    ['before the last byte of the request', (piece) => piece.length - 1],
  ])('carries out a commit once when the connection is cut %s', PATIENCE, async (_when, bytes) => {
    const { storage, direct, proxy } = fixture;
    await storage.commit([append('before')]);
    for (let i = 1; i <= 5; i++) {
      const cut = proxy.cutRequest(`marker-${i}`, bytes);
      const commit = storage.commit([put(`id-${i}`, `marker-${i}`), append(i)]);
      await cut;
      expect(await commit).toEqual([{ version: 1 }, { sequence: i + 1 }]);
    }
    expect((await direct.read('events')).map(({ value }) => value)).toEqual(['before', 1, 2, 3, 4, 5]);
  });

  it('carries out a commit once when its answer is lost, and answers it', PATIENCE, async () => {
    const { storage, direct, proxy } = fixture;
    await storage.commit([append('before')]);
    for (let i = 1; i <= 5; i++) {
      const dropped = proxy.dropAnswer(`marker-${i}`);
      const commit = storage.commit([put(`id-${i}`, `marker-${i}`), append(i)]);
      await dropped;
      await untilThere(direct, `id-${i}`);
      proxy.cut();
      expect(await commit).toEqual([{ version: 1 }, { sequence: i + 1 }]);
    }
    expect((await direct.read('events')).map(({ value }) => value)).toEqual(['before', 1, 2, 3, 4, 5]);
    expect((await direct.get('values', 'id-5'))?.version).toBe(1);
  });

  it('answers a conflict as such when its first answer was lost', PATIENCE, async () => {
    const { storage, direct, proxy } = fixture;
    await storage.commit([put('a', 1)]);
    const dropped = proxy.dropAnswer('marker');
    const commit = rejection(
      storage.commit([{ ...put('a', 'marker'), expectVersion: 5 } as Operation, append('marker')]),
    );
    await dropped;
    proxy.cut();
    expect(await commit).toMatchObject({
      code: 'storage.version_conflict',
      data: { expected: 5, current: 1 },
    });
    expect(await direct.read('events')).toEqual([]);
  });

  it('carries out a commit of its caller once, though it was sent again by its id', PATIENCE, async () => {
    const { storage, direct, proxy } = fixture;
    const id: CommitId = { writer: 'caller', number: 1 };
    const operations = [put('a', 'marker'), append(1)];
    const dropped = proxy.dropAnswer('marker');
    const commit = storage.commit(operations, id);
    await dropped;
    await untilThere(direct, 'a');
    proxy.cut();
    const answer = [{ version: 1 }, { sequence: 1 }];
    expect(await commit).toEqual(answer);
    expect(await direct.commit(operations, id)).toEqual(answer);
    expect(await direct.read('events')).toHaveLength(1);
  });

  it(
    'loses and doubles nothing of many commits at once while the connection is cut again and again',
    PATIENCE,
    async () => {
      const { storage, direct, proxy } = fixture;
      const ledger = new Ledger(storage);
      const load = ledger.writeWith(32);
      const before = proxy.accepted;
      for (let round = 0; round < 25; round++) {
        await ledger.untilMore(30);
        proxy.cut();
      }
      ledger.end();
      await load;
      expect(proxy.accepted).toBeGreaterThan(before + 10);
      await ledger.compareWith(direct);
    },
  );

  it('reads right or not at all while the connection is cut again and again', PATIENCE, async () => {
    const { storage, proxy } = fixture;
    await storage.commit([
      ...Array.from({ length: 50 }, (_, i) => ({ ...put(`id-${i}`, i), index: { i } }) as Operation),
      ...Array.from({ length: 50 }, (_, i) => append(i)),
    ]);
    const query = { orderBy: { field: 'i', direction: 'ascending' }, limit: 100 } as const;
    const expected = Array.from({ length: 50 }, (_, i) => i);
    let right = 0;
    const check = async (call: Promise<unknown>, wanted: unknown) => {
      const outcome = await outcomeOf(call);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'storage.unreachable' });
      else {
        expect(outcome).toEqual(wanted);
        right += 1;
      }
    };
    const valuesOf = (items: { value: unknown }[]) => items.map(({ value }) => value);
    for (let round = 0; round < 15; round++) {
      const calls = [
        check(
          storage.get('values', 'id-7').then((document) => document?.value),
          7,
        ),
        check(storage.get('values', 'nobody'), undefined),
        check(
          storage.list('values', query).then(({ items }) => valuesOf(items)),
          expected,
        ),
        check(storage.read('events').then(valuesOf), expected),
        check(
          storage.stats().then(({ documents }) => documents),
          { values: 50 },
        ),
      ];
      if (round % 3 === 0) await new Promise(setImmediate);
      proxy.cut();
      await Promise.all(calls);
    }
    expect(right).toBeGreaterThan(0);
    expect(await storage.stats()).toMatchObject({ documents: { values: 50 } });
  });
}
