import { beforeEach, describe, expect, it } from 'vitest';
import type { RuntimeEvent } from '#contract';
import {
  createLiveStream,
  type LiveStatus,
  type LiveStream,
  LOST_AFTER_MS,
  reconnectDelay,
  SILENCE_LIMIT_MS,
} from './live-stream.ts';

/** Time that stands still until it is moved. */
class VirtualTime {
  now = 1_000_000;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  schedule = (callback: () => void, delayMs: number): (() => void) => {
    const timer = { at: this.now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get pending(): number {
    return this.#timers.size;
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.now = due.at;
      this.#timers.delete(due);
      due.callback();
      await settle();
    }
    this.now = end;
    await settle();
  }
}

/** Lets everything that waits for a promise go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Connection {
  readonly headers: Headers;
  readonly signal: AbortSignal;
  send(text: string): Promise<void>;
  end(): Promise<void>;
}

/** A server whose answers the test decides: each request waits for `accept` or `refuse`. */
class Server {
  readonly connections: Connection[] = [];
  answer: 'accept' | 'refuse' | 'problem' | 'hang' = 'accept';

  fetch = (_url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const signal = init?.signal as AbortSignal;
    if (this.answer === 'refuse') return Promise.reject(new TypeError('Failed to fetch'));
    if (this.answer === 'hang') {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
    if (this.answer === 'problem') {
      const problem = { code: 'auth.wrong_token', title: 'The token is wrong', status: 401, detail: 'No.' };
      return Promise.resolve(Response.json(problem, { status: 401 }));
    }
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    signal.addEventListener('abort', () => void writer.abort(signal.reason).catch(() => undefined));
    this.connections.push({
      headers: new Headers(init?.headers),
      signal,
      send: async (text) => {
        await writer.write(new TextEncoder().encode(text));
        await settle();
      },
      end: async () => {
        await writer.close();
        await settle();
      },
    });
    return Promise.resolve(new Response(readable));
  };

  get last(): Connection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error('nobody has connected');
    return connection;
  }
}

function frame(sequence: number, type = 'session.created'): string {
  const id = sequence > 0 ? `id: ${sequence}\n` : '';
  return `${id}data: ${JSON.stringify({ type, sequence, data: {} })}\n\n`;
}

describe('the live stream', () => {
  let time: VirtualTime;
  let server: Server;
  let events: RuntimeEvent[];
  let states: string[];
  let resumed: number;
  let stream: LiveStream;

  beforeEach(() => {
    time = new VirtualTime();
    server = new Server();
    events = [];
    states = [];
    resumed = 0;
    stream = createLiveStream({
      url: '/api/events/stream',
      fetch: server.fetch,
      now: () => time.now,
      random: () => 0,
      schedule: time.schedule,
      onEvent: (event) => events.push(event),
      onStatus: (status: LiveStatus) => states.push(status.state),
      onOpened: (isFirst) => {
        if (!isFirst) resumed += 1;
      },
    });
  });

  it('delivers events in order, also from frames that are cut anywhere', async () => {
    stream.start();
    await settle();
    const text = frame(1) + frame(0, 'agent.heartbeat') + frame(2);
    for (const part of [text.slice(0, 7), text.slice(7, 60), text.slice(60)]) await server.last.send(part);
    expect(events.map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, 'session.created'],
      [0, 'agent.heartbeat'],
      [2, 'session.created'],
    ]);
    expect(stream.status().state).toBe('live');
    stream.stop();
  });

  it('puts characters together that were cut in the middle of their bytes', async () => {
    stream.start();
    await settle();
    const bytes = new TextEncoder().encode(
      `data: ${JSON.stringify({ type: 'x', sequence: 1, data: '…é' })}\n\n`,
    );
    const at = bytes.indexOf(0xe2) + 1;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const seen: unknown[] = [];
    const cut = createLiveStream({
      url: '/',
      fetch: async () => new Response(readable),
      now: () => time.now,
      random: () => 0,
      schedule: time.schedule,
      onEvent: (event) => seen.push(event.data),
      onStatus: () => undefined,
      onOpened: () => undefined,
    });
    cut.start();
    await settle();
    await writer.write(bytes.slice(0, at));
    await writer.write(bytes.slice(at));
    await settle();
    expect(seen).toEqual(['…é']);
    cut.stop();
    stream.stop();
  });

  it('goes on after what is no event', async () => {
    stream.start();
    await settle();
    await server.last.send('data: {broken\n\ndata: 7\n\n: a comment\n\n');
    await server.last.send(frame(5));
    expect(events.map((event) => event.sequence)).toEqual([5]);
    stream.stop();
  });

  it('resumes after the last durable event and tells that it was away', async () => {
    stream.start();
    await settle();
    expect(server.last.headers.get('last-event-id')).toBeNull();
    await server.last.send(frame(7) + frame(0));
    await server.last.end();
    expect(stream.status().state).toBe('reconnecting');
    expect(resumed).toBe(0);
    await time.advance(250);
    expect(server.connections).toHaveLength(2);
    expect(server.last.headers.get('last-event-id')).toBe('7');
    expect(stream.status().state).toBe('live');
    expect(resumed).toBe(1);
    stream.stop();
  });

  it('takes its place from the first frame, when the connection breaks before any event', async () => {
    stream.start();
    await settle();
    await server.last.send('retry: 1000\nid: 41\n: open\n\n');
    await server.last.end();
    await time.advance(250);
    expect(server.last.headers.get('last-event-id')).toBe('41');
    stream.stop();
  });

  it('follows the log when another one stands behind the address', async () => {
    stream.start();
    await settle();
    await server.last.send(frame(90) + frame(12, 'runtime.started'));
    expect(events.map((event) => event.sequence)).toEqual([90, 12]);
    await server.last.end();
    await time.advance(250);
    expect(server.last.headers.get('last-event-id')).toBe('12');
    stream.stop();
  });

  it('counts as lost after 10 s, keeps the time of the break, and tries on', async () => {
    stream.start();
    await settle();
    await server.last.send(frame(1));
    const lastData = time.now;
    await time.advance(6_000);
    server.answer = 'refuse';
    await server.last.end();
    const brokeAt = time.now;
    await time.advance(LOST_AFTER_MS - 1);
    expect(stream.status().state).toBe('reconnecting');
    await time.advance(1);
    expect(stream.status()).toMatchObject({ state: 'lost', since: brokeAt, lastDataAt: lastData });
    expect(stream.status().error?.code).toBe('network.unreachable');
    server.answer = 'accept';
    await time.advance(5_000);
    expect(stream.status()).toMatchObject({ state: 'live', error: undefined });
    expect(states).toEqual(['live', 'reconnecting', ...states.slice(2, -1), 'live']);
    stream.stop();
  });

  it('keeps the reason that the runtime gave', async () => {
    server.answer = 'problem';
    stream.start();
    await settle();
    expect(stream.status()).toMatchObject({
      state: 'reconnecting',
      error: { code: 'auth.wrong_token', status: 401 },
    });
    stream.stop();
  });

  it('takes silence for a break, but not while keep-alives come', async () => {
    stream.start();
    await settle();
    for (let beat = 0; beat < 5; beat += 1) {
      await time.advance(15_000);
      await server.last.send(': still here\n\n');
    }
    expect(stream.status()).toMatchObject({ state: 'live', lastDataAt: time.now });
    const silent = server.last;
    await time.advance(SILENCE_LIMIT_MS);
    expect(silent.signal.aborted).toBe(true);
    expect(stream.status().state).toBe('reconnecting');
    await time.advance(250);
    expect(stream.status().state).toBe('live');
    stream.stop();
  });

  it('gives up a request that is never answered', async () => {
    server.answer = 'hang';
    stream.start();
    await time.advance(10_000);
    expect(stream.status()).toMatchObject({ state: 'reconnecting', error: { code: 'network.unreachable' } });
    stream.stop();
  });

  it('waits longer and longer for one that drops each connection at once', async () => {
    stream.start();
    await settle();
    const gaps: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      const before = time.now;
      const count = server.connections.length;
      await server.last.end();
      while (server.connections.length === count) await time.advance(50);
      gaps.push(time.now - before);
    }
    expect(gaps).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000]);
    stream.stop();
  });

  it('tries at once when asked to', async () => {
    server.answer = 'refuse';
    stream.start();
    await settle();
    server.answer = 'accept';
    stream.retryNow();
    await settle();
    expect(stream.status().state).toBe('live');
    stream.stop();
  });

  it('leaves nothing behind when it is stopped', async () => {
    stream.start();
    await settle();
    await server.last.send(frame(1));
    stream.stop();
    await settle();
    expect(server.last.signal.aborted).toBe(true);
    expect(time.pending).toBe(0);
    await time.advance(60_000);
    expect(server.connections).toHaveLength(1);
  });
});

describe('the delay before a new attempt', () => {
  it('doubles up to five seconds and takes off half at most', () => {
    expect([0, 1, 2, 3, 4, 5, 50].map((attempt) => reconnectDelay(attempt, () => 0))).toEqual([
      250, 500, 1_000, 2_000, 4_000, 5_000, 5_000,
    ]);
    expect(reconnectDelay(3, () => 1)).toBe(1_000);
  });
});
