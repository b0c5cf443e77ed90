import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { event as eventSchema, type RuntimeEvent } from '../contract/index.ts';
import type { EventDraft } from '../events/event-bus.ts';
import { type Application, createApplication, problemOf, request } from './application.fixture.ts';

/** A frame of the stream as an EventSource would see it. */
interface Frame {
  id?: string;
  data?: string;
  retry?: string;
  comment?: string;
}

let app: Application;
beforeEach(async () => {
  app = await createApplication();
});
afterEach(async () => {
  await app.stop();
  expect(app.clock.pending).toBe(0);
  expect(app.bus.stats().subscriptions).toBe(0);
});

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

/** Opens the stream; `next` gives frame after frame, undefined at the end. */
async function openStream(query = '', options: Parameters<typeof request>[2] = {}) {
  const response = await app.fetch(request('GET', `/api/events/stream${query}`, options));
  if (response.body === null) throw new Error('There is no body');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  async function next(): Promise<Frame | undefined> {
    while (!text.includes('\n\n')) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
    }
    const end = text.indexOf('\n\n');
    const lines = text.slice(0, end).split('\n');
    text = text.slice(end + 2);
    const frame: Record<string, string> = {};
    for (const line of lines) {
      const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
      frame[name === '' ? 'comment' : (name ?? line)] = value ?? '';
    }
    return frame;
  }
  async function nextEvent(): Promise<RuntimeEvent> {
    for (;;) {
      const frame = await next();
      if (frame === undefined) throw new Error('The stream has ended');
      if (frame.data !== undefined) return eventSchema.parse(JSON.parse(frame.data));
    }
  }
  return { response, next, nextEvent, cancel: () => reader.cancel() };
}

describe('the event stream', () => {
  it('opens at once, tells what happens, and numbers durable events only', async () => {
    await app.bus.publish(deleted('before'));
    const stream = await openStream('?topics=session.*,agent.>');
    expect(Object.fromEntries(stream.response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
    });
    expect(await stream.next()).toEqual({ retry: '1000', id: '1', comment: 'open' });
    await app.bus.publish(deleted('s1'));
    app.bus.tell(heartbeat('a1'));
    const durable = await stream.next();
    expect(durable?.id).toBe('2');
    expect(eventSchema.parse(JSON.parse(durable?.data ?? ''))).toMatchObject({
      type: 'session.deleted',
      sequence: 2,
    });
    const live = await stream.next();
    expect(live).not.toHaveProperty('id');
    expect(JSON.parse(live?.data ?? '')).toMatchObject({ type: 'agent.heartbeat', sequence: 0 });
    await stream.cancel();
  });

  it('leaves out what was not asked for', async () => {
    const stream = await openStream('?topics=session.deleted');
    app.bus.tell(heartbeat('a1'));
    await app.bus.publish({ topic: 'agent.created', correlationId: 'c', data: { id: 'a', name: 'A' } });
    await app.bus.publish(deleted('s1'));
    expect(await stream.nextEvent()).toMatchObject({ type: 'session.deleted', sequence: 2 });
    await stream.cancel();
  });

  it.each([
    ['header', '', { 'last-event-id': '1' }],
    ['query', '?lastEventId=1', {}],
  ])('goes on after the last event that was seen, told in the %s', async (_, query, headers) => {
    for (const id of ['s1', 's2', 's3']) await app.bus.publish(deleted(id));
    const stream = await openStream(query, { headers: headers as Record<string, string> });
    expect(await stream.next()).toMatchObject({ id: '1' });
    expect(await stream.nextEvent()).toMatchObject({ subject: 's2', sequence: 2 });
    expect(await stream.nextEvent()).toMatchObject({ subject: 's3', sequence: 3 });
    await app.bus.publish(deleted('s4'));
    expect(await stream.nextEvent()).toMatchObject({ subject: 's4', sequence: 4 });
    await stream.cancel();
  });

  it('loses nothing to one whose connection broke before the first event', async () => {
    await app.bus.publish(deleted('old'));
    const first = await openStream();
    const { id } = (await first.next()) ?? {};
    await first.cancel();
    await app.bus.publish(deleted('meanwhile'));
    const second = await openStream('', { headers: { 'last-event-id': id ?? '' } });
    expect(await second.nextEvent()).toMatchObject({ subject: 'meanwhile' });
    await second.cancel();
  });

  it('gives a reader that comes back again and again every event once and in order', async () => {
    const seen: number[] = [];
    let last = '';
    const publishing = (async () => {
      for (let i = 0; i < 60; i++) await app.bus.publish(deleted(`s${i}`));
    })();
    while (seen.length < 60) {
      const stream = await openStream('', { headers: { 'last-event-id': last || '0' } });
      for (let i = 0; i < 7 && seen.length < 60; i++) {
        const { sequence } = await stream.nextEvent();
        seen.push(sequence);
        last = String(sequence);
      }
      await stream.cancel();
    }
    await publishing;
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  });

  it('sends a comment every 15 s', async () => {
    const stream = await openStream();
    await stream.next();
    const waiting = stream.next();
    await app.clock.advance(15_000);
    expect(await waiting).toEqual({ comment: 'still here' });
    const again = stream.next();
    await app.clock.advance(15_000);
    expect(await again).toEqual({ comment: 'still here' });
    await stream.cancel();
  });

  it('ends at once when the request is aborted, while it waits and while nobody reads', async () => {
    const timers = app.clock.pending;
    const abort = new AbortController();
    const waiting = await openStream('', { signal: abort.signal });
    await waiting.next();
    const resting = await openStream('', { signal: abort.signal });
    const pending = waiting.next();
    await app.bus.publish(deleted('s1'));
    expect(await pending).toHaveProperty('data');
    const ending = waiting.next();
    abort.abort();
    expect(await ending).toBeUndefined();
    await vi.waitFor(() => expect(app.bus.stats().subscriptions).toBe(0));
    expect(app.clock.pending).toBe(timers);
    await resting.cancel();
  });

  it('ends when the runtime closes, and lets go of the signal when a reader goes', async () => {
    const abort = new AbortController();
    const stream = await openStream('', { signal: abort.signal });
    await stream.next();
    await stream.cancel();
    expect(getEventListeners(abort.signal, 'abort').length).toBeLessThanOrEqual(1);
    const other = await openStream();
    await other.next();
    const ending = other.next();
    app.close();
    expect(await ending).toBeUndefined();
  });

  it('never holds more than a little for a reader that does not read, who still gets all of it', async () => {
    const stream = await openStream();
    await stream.next();
    const padding = 'x'.repeat(1000);
    for (let i = 0; i < 3000; i++) await app.bus.publish(deleted(`${padding}${i}`));
    await app.clock.advance(15_000);
    const sequences: number[] = [];
    while (sequences.length < 3000) sequences.push((await stream.nextEvent()).sequence);
    expect(sequences).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1));
    await stream.cancel();
  });

  it('answers HEAD without opening anything', async () => {
    const response = await app.fetch(request('HEAD', '/api/events/stream'));
    expect([response.status, response.body]).toEqual([200, null]);
  });

  it.each([
    ['?topics=UPPER', 'event.invalid_topic'],
    ['?topics=a..b', 'event.invalid_topic'],
    ['?topics=a.>.b', 'event.invalid_topic'],
    ['?topics=', 'event.invalid_topic'],
    ['?topics=a,,b', 'event.invalid_topic'],
    [`?topics=${'a.'.repeat(20)}a`, 'event.invalid_topic'],
    ['?lastEventId=abc', 'request.invalid'],
    ['?lastEventId=-1', 'request.invalid'],
    ['?lastEventId=99999999999999999999', 'request.invalid'],
  ])('refuses %s', async (query, code) => {
    expect(await problemOf(await app.fetch(request('GET', `/api/events/stream${query}`)))).toMatchObject({
      status: 400,
      code,
    });
  });
});
