import { expect, it } from 'vitest';
import { MAXIMUM_SEQUENCE } from '../checked-input.ts';
import type { Operation, ReadQuery } from '../storage.ts';
import { type ContractFixture, recordsOf, replaceBy } from './fixture.ts';

export function logCases(fixture: ContractFixture): void {
  const append = (log: string, value: unknown): Operation => ({ kind: 'append', log, value });
  const fill = (log: string, count: number) =>
    fixture.storage.commit(Array.from({ length: count }, (_, i) => append(log, i + 1)));
  const sequences = async (log: string, query?: ReadQuery) =>
    (await fixture.storage.read(log, query)).map(({ sequence }) => sequence);

  it('numbers the entries of each log from 1, with the time of the append', async () => {
    const { storage, clock } = fixture;
    await storage.commit([append('events', 'a')]);
    clock.time += 5;
    expect(await storage.commit([append('events', 'b'), append('messages/x', 'c')])).toEqual([
      { sequence: 2 },
      { sequence: 1 },
    ]);
    expect(await storage.read('events')).toEqual([
      { log: 'events', sequence: 1, at: clock.time - 5, value: 'a' },
      { log: 'events', sequence: 2, at: clock.time, value: 'b' },
    ]);
  });

  it('keeps the logs of a family apart', async () => {
    const { storage } = fixture;
    await storage.commit([append('messages/a', 1), append('messages/b', 2), append('messages', 3)]);
    await storage.commit([append('messages/a', 4)]);
    expect((await storage.read('messages/a')).map(({ value }) => value)).toEqual([1, 4]);
    expect((await storage.read('messages/b')).map(({ value }) => value)).toEqual([2]);
    expect((await storage.read('messages')).map(({ value }) => value)).toEqual([3]);
  });

  it('reads nothing from a log that is not there', async () => {
    expect(await fixture.storage.read('nothing/here')).toEqual([]);
  });

  it('reads from both ends and in pages', async () => {
    await fill('events', 10);
    expect(await sequences('events', { limit: 3 })).toEqual([1, 2, 3]);
    expect(await sequences('events', { after: 3, limit: 3 })).toEqual([4, 5, 6]);
    expect(await sequences('events', { after: 9 })).toEqual([10]);
    expect(await sequences('events', { after: 10 })).toEqual([]);
    expect(await sequences('events', { reverse: true, limit: 3 })).toEqual([10, 9, 8]);
    expect(await sequences('events', { reverse: true, before: 8, limit: 3 })).toEqual([7, 6, 5]);
    expect(await sequences('events', { after: 2, before: 5 })).toEqual([3, 4]);
    expect(await sequences('events', { after: 2, before: 5, reverse: true })).toEqual([4, 3]);
    expect(await sequences('events', { after: 5, before: 5 })).toEqual([]);
    expect(await sequences('events', { before: 1 })).toEqual([]);
    expect(await sequences('events', { after: Number.MAX_SAFE_INTEGER })).toEqual([]);
    expect(await sequences('events', { after: -1, before: Number.MAX_SAFE_INTEGER })).toHaveLength(10);
  });

  it('reads 1000 entries unless told otherwise, and up to 10,000', async () => {
    await fill('events', 1_500);
    expect(await sequences('events')).toHaveLength(1_000);
    expect(await sequences('events', { limit: 10_000 })).toHaveLength(1_500);
  });

  it('goes on counting after a trim', async () => {
    const { storage } = fixture;
    await fill('events', 5);
    await storage.commit([{ kind: 'trim', log: 'events', through: 3 }]);
    expect(await sequences('events')).toEqual([4, 5]);
    await storage.commit([{ kind: 'trim', log: 'events', through: 5 }]);
    expect(await sequences('events')).toEqual([]);
    expect(await storage.commit([append('events', 6)])).toEqual([{ sequence: 6 }]);
    expect(await sequences('events')).toEqual([6]);
  });

  it('goes on counting after a trim and a new start', async () => {
    await fill('events', 5);
    await fixture.storage.commit([{ kind: 'trim', log: 'events', through: 5 }]);
    const storage = await fixture.reopen();
    expect(await storage.commit([append('events', 6)])).toEqual([{ sequence: 6 }]);
  });

  it('trims through a number that is not there yet without using it up', async () => {
    const { storage } = fixture;
    await fill('events', 2);
    await storage.commit([
      { kind: 'trim', log: 'events', through: 1_000_000 },
      { kind: 'trim', log: 'never', through: Number.MAX_SAFE_INTEGER },
    ]);
    expect(await storage.commit([append('events', 3), append('never', 1)])).toEqual([
      { sequence: 3 },
      { sequence: 1 },
    ]);
    expect(await sequences('events')).toEqual([3]);
  });

  it('trims one log and not its neighbours', async () => {
    await fill('messages/a', 3);
    await fill('messages/b', 3);
    await fill('messages/c', 3);
    await fixture.storage.commit([{ kind: 'trim', log: 'messages/b', through: 3 }]);
    expect(await sequences('messages/a')).toEqual([1, 2, 3]);
    expect(await sequences('messages/b')).toEqual([]);
    expect(await sequences('messages/c')).toEqual([1, 2, 3]);
  });

  it('gives concurrent appends numbers without gap or repetition', async () => {
    const { storage } = fixture;
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) => storage.commit([append('events', i), append('events', i)])),
    );
    const given = results.flat().map(({ sequence }) => sequence ?? 0);
    expect(given.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
    expect(await sequences('events')).toHaveLength(400);
  });

  it('appends and trims in one commit', async () => {
    const { storage } = fixture;
    await storage.commit([
      append('events', 1),
      append('events', 2),
      { kind: 'trim', log: 'events', through: 1 },
    ]);
    expect(await sequences('events')).toEqual([2]);
  });

  it('reads on from page to page while others append and trim, without gap or repetition', async () => {
    const { storage } = fixture;
    await fill('events', 300);
    let reading = true;
    const write = async () => {
      for (let i = 0; reading; i++) {
        await storage.commit([
          append('events', i),
          append('messages/other', i),
          // Never beyond what has been read.
          { kind: 'trim', log: 'events', through: Math.min(i, 50) },
        ]);
      }
    };
    const writers = Promise.all([write(), write()]);
    const seen: number[] = [];
    try {
      let after = 100;
      while (after < 300) {
        const page = await sequences('events', { after, limit: 9 });
        seen.push(...page);
        after = page.at(-1) ?? Number.POSITIVE_INFINITY;
      }
    } finally {
      reading = false;
      await writers;
    }
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i + 101));
    expect(seen.length).toBeGreaterThanOrEqual(200);
    const rest = await sequences('events', { limit: 10_000 });
    expect(rest).toEqual(Array.from({ length: rest.length }, (_, i) => i + (rest[0] ?? 0)));
  });

  it('counts on exactly from numbers near the greatest', async () => {
    const { storage } = fixture;
    const base = MAXIMUM_SEQUENCE - 1_000;
    await replaceBy(storage, 'restore x', [
      { kind: 'log', log: 'empty', lastSequence: base },
      { kind: 'log', log: 'events', lastSequence: base },
      { kind: 'entry', log: 'events', sequence: 1, at: 5, json: '"first"' },
      { kind: 'entry', log: 'events', sequence: 2 ** 31, at: 5, json: '"past 31 bits"' },
      { kind: 'entry', log: 'events', sequence: 2 ** 32 + 1, at: 5, json: '"past 32 bits"' },
      { kind: 'entry', log: 'events', sequence: base, at: 5, json: '"last"' },
    ]);
    expect(
      await storage.commit([append('events', 'a'), append('empty', 'b'), append('events', 'c')]),
    ).toEqual([{ sequence: base + 1 }, { sequence: base + 1 }, { sequence: base + 2 }]);
    expect(await sequences('events')).toEqual([1, 2 ** 31, 2 ** 32 + 1, base, base + 1, base + 2]);
    expect(await sequences('events', { after: 2 ** 32 })).toEqual([2 ** 32 + 1, base, base + 1, base + 2]);
    expect(await sequences('events', { after: base, before: base + 2 })).toEqual([base + 1]);
    expect(await sequences('events', { reverse: true, before: base + 1, limit: 2 })).toEqual([
      base,
      2 ** 32 + 1,
    ]);
    await storage.commit([{ kind: 'trim', log: 'events', through: base }]);
    const reopened = await fixture.reopen();
    expect(await sequences('events')).toEqual([base + 1, base + 2]);
    expect(await reopened.commit([append('empty', 'd')])).toEqual([{ sequence: base + 2 }]);
    const records = await recordsOf(reopened);
    expect(records.filter(({ kind }) => kind === 'log')).toEqual([
      { kind: 'log', log: 'empty', lastSequence: base + 2 },
      { kind: 'log', log: 'events', lastSequence: base + 2 },
    ]);
  });

  it('appends 10,000 entries at once, and trims them but for the last', async () => {
    const { storage } = fixture;
    await fill('events', 10_000);
    const entries = await storage.read('events', { limit: 10_000 });
    expect(entries.map(({ sequence, value }) => sequence === value)).toEqual(Array(10_000).fill(true));
    await storage.commit([{ kind: 'trim', log: 'events', through: 9_999 }]);
    expect(await sequences('events', { limit: 10_000 })).toEqual([10_000]);
  });
}
