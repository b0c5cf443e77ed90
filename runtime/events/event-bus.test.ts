import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { silentLogger } from '../base/logger.ts';
import type { RuntimeEvent } from '../contract/index.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { createEventBus, EVENT_LOG } from './create-event-bus.ts';
import type { EventDraft } from './event-bus.ts';

const deleted = (id: string): EventDraft => ({
  topic: 'session.deleted',
  subject: id,
  correlationId: 'c1',
  data: { id },
});
const heartbeat = (id: string): EventDraft => ({
  topic: 'agent.heartbeat',
  subject: id,
  correlationId: 'c1',
  data: { id, at: 0, ok: true },
});

let storage: Storage;
let clock: VirtualClock;
let bus: ReturnType<typeof createEventBus>;

function makeBus(registrySize = 100) {
  return createEventBus({
    storage,
    clock,
    makeId: randomId,
    logger: silentLogger,
    retentionHours: 24,
    registrySize,
  });
}

beforeEach(async () => {
  clock = new VirtualClock();
  storage = await openStorage({ type: 'memory', dataDir: '', now: () => clock.now() });
  bus = makeBus();
  await bus.start();
});

afterEach(async () => {
  await bus.stop();
  await storage.close();
  expect(clock.pending).toBe(0);
});

/** Takes `count` events of a stream and ends it. */
async function take(
  count: number,
  options: { topics?: string[]; after?: number },
  meanwhile?: () => Promise<unknown>,
) {
  const end = new AbortController();
  const taken: RuntimeEvent[] = [];
  const reading = (async () => {
    for await (const event of bus.stream({ topics: ['>'], ...options, signal: end.signal })) {
      taken.push(event);
      if (taken.length === count) break;
    }
  })();
  await meanwhile?.();
  await reading;
  end.abort();
  return taken;
}

describe('publish', () => {
  test('makes a CloudEvents envelope with a sequence, durable before it resolves', async () => {
    const [event] = await bus.publish({ ...deleted('s1'), priority: 'high', causationId: 'e0' });
    expect(event).toEqual({
      specversion: '1.0',
      id: expect.stringMatching(/^[0-9a-z]{20}$/),
      source: 'smalltalk',
      type: 'session.deleted',
      subject: 's1',
      time: '2026-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      data: { id: 's1' },
      sequence: 1,
      priority: 'high',
      correlationid: 'c1',
      causationid: 'e0',
    });
    expect(await bus.get(1)).toEqual(event);
  });

  test('commits operations and events together, or neither', async () => {
    await bus.commit(
      [{ kind: 'put', collection: 'things', id: 'a', value: 1, expectVersion: 0 }],
      [deleted('a')],
    );
    const again = bus.commit(
      [{ kind: 'put', collection: 'things', id: 'a', value: 2, expectVersion: 0 }],
      [deleted('b')],
    );
    await expect(again).rejects.toMatchObject({ code: 'storage.version_conflict' });
    expect((await bus.read({ limit: 10 })).items.map((event) => event.subject)).toEqual(['a']);
  });
});

describe('live subscribers', () => {
  test('are called in the order of the log, those of higher priority first', async () => {
    const calls: string[] = [];
    bus.subscribe(
      { name: 'late', topics: ['>'], priority: 'low' },
      (event) => void calls.push(`late ${event.subject}`),
    );
    bus.subscribe(
      { name: 'soon', topics: ['session.*'], priority: 'high' },
      (event) => void calls.push(`soon ${event.subject}`),
    );
    await Promise.all([bus.publish(deleted('1')), bus.publish(deleted('2')), bus.publish(heartbeat('3'))]);
    expect(calls).toEqual(['soon 1', 'late 1', 'soon 2', 'late 2', 'late 3']);
  });

  test('one that throws harms neither the publisher nor the others', async () => {
    const seen: unknown[] = [];
    bus.subscribe({ name: 'bad', topics: ['>'] }, () => {
      throw new Error('no');
    });
    bus.subscribe({ name: 'rejects', topics: ['>'] }, () => Promise.reject(new Error('no')));
    bus.subscribe({ name: 'good', topics: ['>'] }, (event) => void seen.push(event.subject));
    await bus.publish(deleted('1'));
    await bus.publish(deleted('2'));
    expect(seen).toEqual(['1', '2']);
  });

  test('a slow one has a bounded queue, and what it misses is counted', async () => {
    const gate = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    bus.subscribe({ name: 'slow', topics: ['>'], queueLimit: 2 }, async (event) => {
      seen.push(event.subject);
      await gate.promise;
    });
    for (const id of ['1', '2', '3', '4', '5']) await bus.publish(deleted(id));
    expect(bus.stats().dropped).toBe(2);
    gate.resolve();
    await vi.waitFor(() => expect(seen).toEqual(['1', '2', '3']));
  });

  test('an ended one hears nothing more', async () => {
    const seen: unknown[] = [];
    const subscription = bus.subscribe(
      { name: 'x', topics: ['>'] },
      (event) => void seen.push(event.subject),
    );
    await bus.publish(deleted('1'));
    subscription.end();
    subscription.end();
    await bus.publish(deleted('2'));
    expect(seen).toEqual(['1']);
    expect(bus.stats().subscriptions).toBe(0);
  });
});

describe('stream', () => {
  test('resumes after a sequence and goes on live, without gap or repetition', async () => {
    for (let i = 1; i <= 5; i++) await bus.publish(deleted(String(i)));
    const events = await take(6, { after: 2 }, async () => {
      for (let i = 6; i <= 8; i++) await bus.publish(deleted(String(i)));
    });
    expect(events.map((event) => event.sequence)).toEqual([3, 4, 5, 6, 7, 8]);
  });

  test('without a sequence it starts now', async () => {
    await bus.publish(deleted('before'));
    const events = await take(1, {}, () => bus.publish(deleted('after')));
    expect(events.map((event) => event.subject)).toEqual(['after']);
  });

  test('live-only events are in it with sequence 0, and are not in the log', async () => {
    const events = await take(2, {}, async () => {
      bus.tell(heartbeat('a'));
      await bus.publish(deleted('s'));
    });
    expect(events.map((event) => [event.type, event.sequence])).toEqual([
      ['agent.heartbeat', 0],
      ['session.deleted', 1],
    ]);
    expect((await bus.read({ limit: 10 })).items).toHaveLength(1);
  });

  test('a consumer that falls far behind reads from the log again and misses nothing', async () => {
    await bus.stop();
    bus = makeBus(10);
    await bus.start();
    const total = 5000;
    const end = new AbortController();
    const iterator = bus.stream({ topics: ['>'], after: 0, signal: end.signal })[Symbol.asyncIterator]();
    await bus.publish(deleted('first'));
    expect((await iterator.next()).value).toMatchObject({ sequence: 1 });
    await bus.publish(...Array.from({ length: total - 1 }, (_, i) => deleted(String(i))));
    const sequences: number[] = [];
    while (sequences.length < total - 1) sequences.push((await iterator.next()).value?.sequence ?? -1);
    expect(sequences).toEqual(Array.from({ length: total - 1 }, (_, i) => i + 2));
    end.abort();
    expect((await iterator.next()).done).toBe(true);
  });

  test('events that another process appended come in their place', async () => {
    const events = await take(3, { after: 0 }, async () => {
      await bus.publish(deleted('mine'));
      const [own] = await storage.read<object>(EVENT_LOG);
      await storage.commit([{ kind: 'append', log: EVENT_LOG, value: { ...own?.value, subject: 'theirs' } }]);
      await bus.publish(deleted('mine again'));
    });
    expect(events.map((event) => event.subject)).toEqual(['mine', 'theirs', 'mine again']);
  });

  test('ends when its signal aborts, and leaves nothing behind', async () => {
    const end = new AbortController();
    const reading = (async () => {
      for await (const event of bus.stream({ topics: ['>'], signal: end.signal }))
        throw new Error(event.type);
    })();
    await vi.waitFor(() => expect(bus.stats().subscriptions).toBe(1));
    end.abort();
    await reading;
    expect(bus.stats().subscriptions).toBe(0);
  });

  test('a bad pattern is refused', async () => {
    await expect(take(1, { topics: ['a..b'] })).rejects.toMatchObject({ code: 'event.invalid_topic' });
  });
});

describe('read', () => {
  test('the newest first, by topic, subject, text and time, page by page', async () => {
    for (let i = 1; i <= 25; i++)
      await bus.publish(i % 2 ? deleted(`s${i}`) : { ...heartbeat(`a${i}`), correlationId: 'c2' });
    const first = await bus.read({ topics: ['session.>'], limit: 10 });
    expect(first.items.map((event) => event.sequence)).toEqual([25, 23, 21, 19, 17, 15, 13, 11, 9, 7]);
    const second = await bus.read({ topics: ['session.>'], limit: 10, cursor: first.nextCursor ?? '' });
    expect(second.items.map((event) => event.sequence)).toEqual([5, 3, 1]);
    expect(second.nextCursor).toBeUndefined();
    expect((await bus.read({ subject: 's7', limit: 10 })).items).toHaveLength(1);
    expect((await bus.read({ correlationId: 'c2', limit: 50 })).items).toHaveLength(12);
    expect((await bus.read({ search: 'A24', limit: 50 })).items.map((event) => event.sequence)).toEqual([24]);
    await clock.advance(1000);
    await bus.publish(deleted('later'));
    expect((await bus.read({ since: clock.now(), limit: 50 })).items.map((event) => event.subject)).toEqual([
      'later',
    ]);
  });

  test('a cursor that is not one of its own is refused', async () => {
    await expect(bus.read({ limit: 1, cursor: 'x' })).rejects.toMatchObject({ code: 'request.invalid' });
    await expect(bus.get(7)).rejects.toMatchObject({ code: 'event.not_found' });
  });
});

test('retention trims what is too old, and numbers go on', async () => {
  await bus.publish(deleted('old'), deleted('old too'));
  await clock.advance(23 * 3_600_000);
  await bus.publish(deleted('young'));
  await clock.advance(2 * 3_600_000);
  await vi.waitFor(async () => expect(await storage.read(EVENT_LOG)).toHaveLength(1));
  await clock.advance(48 * 3_600_000);
  await vi.waitFor(async () => expect(await storage.read(EVENT_LOG)).toHaveLength(0));
  const [event] = await bus.publish(deleted('next'));
  expect(event?.sequence).toBe(4);
});

test('after a restart sequences go on and the log is still there', async () => {
  await bus.publish(deleted('1'));
  await bus.stop();
  bus = makeBus();
  await bus.start();
  const events = await take(2, { after: 0 }, () => bus.publish(deleted('2')));
  expect(events.map((event) => event.sequence)).toEqual([1, 2]);
});
