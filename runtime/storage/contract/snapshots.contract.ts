import { expect, it } from 'vitest';
import type { Operation, SnapshotRecord } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection } from './fixture.ts';

export function snapshotCases(fixture: ContractFixture): void {
  const put = (collection: string, id: string, value: unknown): Operation => ({
    kind: 'put',
    collection,
    id,
    value,
  });
  const append = (log: string, value: unknown): Operation => ({ kind: 'append', log, value });

  it('has no records when there is nothing', async () => {
    expect(await recordsOf(fixture.storage)).toEqual([]);
  });

  it('streams documents by collection and id, then logs by name with their entries', async () => {
    const { storage, clock } = fixture;
    const at = clock.time;
    await storage.commit([
      append('messages/b', 'one'),
      append('events', 1),
      append('messages/a', 'two'),
      append('messages/a', 'three'),
      append('trimmed', 1),
      { kind: 'trim', log: 'trimmed', through: 1 },
      { kind: 'trim', log: 'messages/a', through: 1 },
      put('sessions', 'b', { b: 1 }),
      put('sessions', '😀', 'astral'),
      put('sessions', '\uffff', 'last of the plane'),
      put('agents', 'z', null),
      {
        kind: 'put',
        collection: 'sessions',
        id: 'a',
        value: 'x',
        index: { title: 'A', n: 2.5 },
        expiresAt: at + 10,
      },
      { kind: 'put', collection: 'sessions', id: 'expired', value: 'x', expiresAt: at },
    ]);
    const document = { kind: 'document', version: 1, index: {} };
    expect(await recordsOf(storage)).toEqual([
      { ...document, collection: 'agents', id: 'z', json: 'null' },
      {
        ...document,
        collection: 'sessions',
        id: 'a',
        json: '"x"',
        index: { title: 'A', n: 2.5 },
        expiresAt: at + 10,
      },
      { ...document, collection: 'sessions', id: 'b', json: '{"b":1}' },
      { ...document, collection: 'sessions', id: '\uffff', json: '"last of the plane"' },
      { ...document, collection: 'sessions', id: '😀', json: '"astral"' },
      { kind: 'log', log: 'events', lastSequence: 1 },
      { kind: 'entry', log: 'events', sequence: 1, at, json: '1' },
      { kind: 'log', log: 'messages/a', lastSequence: 2 },
      { kind: 'entry', log: 'messages/a', sequence: 2, at, json: '"three"' },
      { kind: 'log', log: 'messages/b', lastSequence: 1 },
      { kind: 'entry', log: 'messages/b', sequence: 1, at, json: '"one"' },
      { kind: 'log', log: 'trimmed', lastSequence: 1 },
    ]);
  });

  it('comes in batches of bounded size', async () => {
    const { storage } = fixture;
    await storage.commit(Array.from({ length: 3_000 }, (_, i) => append('events', i)));
    const sizes: number[] = [];
    for await (const batch of storage.snapshot()) sizes.push(batch.length);
    expect(sizes.reduce((a, b) => a + b)).toBe(3_001);
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  });

  it('is what was there when it began, whatever is written meanwhile', async () => {
    const { storage } = fixture;
    await storage.commit([
      ...Array.from({ length: 1_200 }, (_, i) => put('sessions', `id-${i}`, 'before')),
      ...Array.from({ length: 1_200 }, (_, i) => append('events', i)),
    ]);
    const before = await recordsOf(storage);
    const seen: SnapshotRecord[] = [];
    let turn = 0;
    for await (const batch of storage.snapshot()) {
      seen.push(...batch);
      turn += 1;
      await storage.commit([
        ...Array.from({ length: 1_200 }, (_, i) => put('sessions', `id-${i}`, `after ${turn}`)),
        put('sessions', `new-${turn}`, 'new'),
        append('events', 'new'),
        append('newer', 'new'),
        { kind: 'delete', collection: 'sessions', id: `id-${1_199 - turn}` },
        { kind: 'trim', log: 'events', through: 600 },
      ]);
    }
    expect(turn).toBeGreaterThan(2);
    expect(seen).toEqual(before);
    expect((await storage.get('sessions', 'id-0'))?.value).toBe(`after ${turn}`);
  });

  it('can be several at once', async () => {
    const { storage } = fixture;
    await storage.commit(Array.from({ length: 1_500 }, (_, i) => append('events', i)));
    const first = storage.snapshot()[Symbol.asyncIterator]();
    await first.next();
    await storage.commit([append('events', 'later')]);
    const [second, third] = await Promise.all([recordsOf(storage), recordsOf(storage)]);
    expect(second).toHaveLength(1_502);
    expect(third).toEqual(second);
    let rest = 500;
    for (let step = await first.next(); step.done !== true; step = await first.next())
      rest += step.value.length;
    expect(rest).toBe(1_501);
  });

  it('may be ended early, and then everything goes on', async () => {
    const { storage } = fixture;
    await storage.commit(Array.from({ length: 2_000 }, (_, i) => append('events', i)));
    for (let i = 0; i < 20; i++) {
      for await (const batch of storage.snapshot()) {
        expect(batch.length).toBeGreaterThan(0);
        break;
      }
    }
    await storage.commit([append('events', 'more')]);
    expect(await recordsOf(storage)).toHaveLength(2_002);
  });

  it('ends with the reason of its signal', async () => {
    const { storage } = fixture;
    await storage.commit(Array.from({ length: 2_000 }, (_, i) => append('events', i)));
    const controller = new AbortController();
    const reason = new Error('enough');
    const read = async () => {
      for await (const batch of storage.snapshot({ signal: controller.signal })) {
        expect(batch.length).toBeGreaterThan(0);
        controller.abort(reason);
      }
    };
    expect(await rejection(read())).toBe(reason);
    expect(await rejection(read())).toBe(reason);
  });

  it('refuses a generation that is not there', async () => {
    expect((await rejection(recordsOf(fixture.storage, 'nobody'))).code).toBe('storage.invalid');
  });
}
