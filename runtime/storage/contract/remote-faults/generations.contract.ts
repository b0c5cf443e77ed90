import { expect, it } from 'vitest';
import type { SnapshotRecord } from '../../storage.ts';
import { recordsOf } from '../fixture.ts';
import { append, outcomeOf, PATIENCE, put, type RemoteFaultFixture } from './fixture.ts';

/** The connection is cut in what takes several requests. */
export function generationFaultCases(fixture: RemoteFaultFixture): void {
  it(
    'ends a snapshot whole or with storage.unreachable when the connection is cut in it',
    PATIENCE,
    async () => {
      const { storage, direct, proxy } = fixture;
      await storage.commit(Array.from({ length: 3_000 }, (_, i) => append(i)));
      const whole = await recordsOf(direct);
      const before = proxy.accepted;
      for (let round = 0; round < 3; round++) {
        const seen: SnapshotRecord[] = [];
        const outcome = await outcomeOf(
          (async () => {
            for await (const batch of storage.snapshot()) {
              seen.push(...batch);
              if (seen.length > 400 * round) proxy.cut();
            }
          })(),
        );
        if (outcome === undefined) expect(seen).toEqual(whole);
        else {
          expect(outcome).toMatchObject({ code: 'storage.unreachable' });
          expect(seen).toEqual(whole.slice(0, seen.length));
        }
      }
      expect(await recordsOf(storage)).toEqual(whole);
      // Each cut was noticed: whoever goes on does so over a new connection.
      expect(proxy.accepted).toBeGreaterThanOrEqual(before + 3);
    },
  );

  it('builds a generation whole or not at all when the connection is cut meanwhile', PATIENCE, async () => {
    const { storage, direct, proxy } = fixture;
    const entries = Array.from(
      { length: 2_000 },
      (_, i): SnapshotRecord => ({
        kind: 'entry',
        log: 'events',
        sequence: i + 1,
        at: 5,
        json: `"marker-${i}-there"`,
      }),
    );
    const records: SnapshotRecord[] = [{ kind: 'log', log: 'events', lastSequence: 2_000 }, ...entries];
    for (const marker of ['marker-5-there', 'marker-1500-there']) {
      const { length } = await direct.generations.list();
      const sprung = proxy.dropAnswer(marker);
      const building = (async () => {
        const writer = await storage.generations.create('cut');
        for (let i = 0; i < records.length; i += 500) await writer.write(records.slice(i, i + 500));
        await writer.seal();
        return writer.id;
      })();
      await sprung;
      proxy.cut();
      const outcome = await outcomeOf(building);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ code: 'storage.unreachable' });
        expect(await direct.generations.list()).toHaveLength(length);
      } else expect(await recordsOf(direct, outcome)).toEqual(records);
    }
    const writer = await storage.generations.create('whole');
    await writer.write(records);
    await writer.seal();
    expect(await recordsOf(direct, writer.id)).toEqual(records);
  });

  it(
    'activates a generation once or not at all when the answer is lost, and can be asked again',
    PATIENCE,
    async () => {
      const { storage, direct, proxy } = fixture;
      await storage.commit([put('old', 1), append(1)]);
      const writer = await storage.generations.create('restore x');
      await writer.seal();
      const sprung = proxy.dropAnswer(writer.id);
      const activating = outcomeOf(storage.generations.activate(writer.id));
      await sprung;
      proxy.cut();
      const outcome = await activating;
      if (outcome !== undefined) {
        expect(outcome).toMatchObject({ code: 'storage.unreachable' });
        await storage.generations.activate(writer.id);
      }
      const generations = await direct.generations.list();
      expect(generations.map(({ id, active }) => [id, active])).toEqual([
        [generations[0]?.id, false],
        [writer.id, true],
      ]);
      expect(generations[1]?.previous).toBe(generations[0]?.id);
      expect(await storage.commit([append(2)])).toEqual([{ sequence: 2 }]);
    },
  );
}
