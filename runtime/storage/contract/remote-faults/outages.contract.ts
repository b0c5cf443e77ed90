import { expect, it } from 'vitest';
import type { CodedError } from '../../../base/errors.ts';
import type { CommitId } from '../../storage.ts';
import { recordsOf, rejection } from '../fixture.ts';
import { append, outcomeOf, PATIENCE, put, type RemoteFaultFixture } from './fixture.ts';
import { Ledger } from './ledger.ts';

/** The server ends, hangs or cannot be reached for a while. */
export function outageCases(fixture: RemoteFaultFixture): void {
  it(
    'goes on by itself when the server was killed and started again while nothing was asked',
    PATIENCE,
    async () => {
      const { storage, direct, server } = fixture;
      await storage.commit([put('a', 1), append(1)]);
      await server.kill();
      await server.restart();
      expect((await storage.get('values', 'a'))?.value).toBe(1);
      expect(await storage.commit([put('a', 2), append(2)])).toEqual([{ version: 2 }, { sequence: 2 }]);
      expect(await recordsOf(direct)).toEqual(await recordsOf(storage));
    },
  );

  it(
    'loses and doubles nothing when the server is killed and started again under load',
    PATIENCE,
    async () => {
      const { storage, direct, server } = fixture;
      const ledger = new Ledger(storage);
      const load = ledger.writeWith(8);
      for (let round = 0; round < 4; round++) {
        await ledger.untilMore(40);
        await server.kill();
        await server.restart();
      }
      await ledger.untilMore(40);
      ledger.end();
      await load;
      await ledger.compareWith(direct);
    },
  );

  it('ends every call when the server hangs, and goes on when it goes on', PATIENCE, async () => {
    const { storage, direct, server } = fixture;
    await storage.commit([put('a', 1), append(1)]);
    server.pause();
    try {
      const named: CommitId = { writer: 'hung', number: 1 };
      const calls: Promise<unknown>[] = [
        storage.commit([put('unnamed', 1)]),
        storage.commit([put('named', 1), append('named')], named),
        storage.get('values', 'a'),
        storage.list('values', { limit: 10 }),
        storage.read('events'),
        storage.stats(),
        storage.info(),
        recordsOf(storage),
        storage.generations.list(),
        storage.generations.create('hung'),
      ];
      const outcomes = await Promise.all(calls.map(outcomeOf));
      for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 'storage.unreachable' });
      expect(outcomes[0]).toMatchObject({
        data: { commit: { writer: expect.any(String), number: expect.any(Number) } },
      });
      expect(outcomes[1]).toMatchObject({ data: { commit: named } });
      server.resume();
      // Whether it was carried out when the server went on is not known; with its id it is carried out once.
      const [, appended] = await storage.commit([put('named', 1), append('named')], named);
      expect(appended).toEqual({ sequence: 2 });
      const { commit } = (outcomes[0] as CodedError).data as { commit: CommitId };
      expect(await storage.commit([put('unnamed', 1)], commit)).toEqual([{ version: 1 }]);
      expect((await direct.read('events')).map(({ value }) => value)).toEqual([1, 'named']);
    } finally {
      server.resume();
    }
  });

  it('opens not, and closes, while the server hangs', PATIENCE, async () => {
    const { storage, server } = fixture;
    const late = await fixture.connect('late');
    server.pause();
    try {
      const opening = outcomeOf(late.open());
      const underWay = outcomeOf(storage.commit([put('a', 1)]));
      const closing = outcomeOf(storage.close());
      expect(await opening).toMatchObject({ code: 'storage.unreachable' });
      expect(await underWay).toMatchObject({
        code: expect.stringMatching(/^storage\.(unreachable|closed)$/),
      });
      expect(await closing).toBeUndefined();
    } finally {
      server.resume();
    }
    await late.open();
    await late.close();
  });

  it(
    'says that nobody listens, keeps the id of a commit for later, and goes on when somebody does',
    PATIENCE,
    async () => {
      const { storage, direct, proxy } = fixture;
      await storage.commit([put('a', 1)]);
      await proxy.refuse();
      const outcomes = await Promise.all([
        outcomeOf(storage.commit([put('b', 1), append(1)])),
        outcomeOf(storage.get('values', 'a')),
      ]);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ code: 'storage.unreachable' });
        expect((outcome as CodedError).message).toContain(`127.0.0.1:${proxy.port}`);
      }
      const { commit } = (outcomes[0] as CodedError).data as { commit: CommitId };
      await proxy.heal();
      expect(await storage.commit([put('b', 1), append(1)], commit)).toEqual([
        { version: 1 },
        { sequence: 1 },
      ]);
      expect(await storage.commit([put('b', 1), append(1)], commit)).toEqual([
        { version: 1 },
        { sequence: 1 },
      ]);
      expect((await storage.get('values', 'a'))?.value).toBe(1);
      expect(await direct.read('events')).toHaveLength(1);
    },
  );

  it('can be opened later when nobody listens at first', PATIENCE, async () => {
    const { proxy } = fixture;
    const late = await fixture.connect('later');
    await proxy.refuse();
    const refused = await outcomeOf(late.open());
    expect(refused).toMatchObject({ code: 'storage.unreachable' });
    expect((refused as CodedError).message).toContain(`127.0.0.1:${proxy.port}`);
    expect((await rejection(late.get('values', 'a'))).code).toBe('storage.closed');
    await proxy.heal();
    await late.open();
    expect(await late.commit([append(1)])).toEqual([{ sequence: 1 }]);
    await late.close();
  });
}
