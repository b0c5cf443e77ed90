import { createParser } from 'eventsource-parser';
import type { RuntimeEvent } from '#contract';
import { ApiError, errorOfResponse, unreachable } from './api-error.ts';

/**
 * How the stream stands.
 * - `connecting`: the first attempt · `live`: open · `reconnecting`: it broke, and is tried again · `lost`: for longer than {@link LOST_AFTER_MS}
 */
export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'lost';

export interface LiveStatus {
  readonly state: LiveState;
  /** When the stream broke, or opened, in ms since the epoch. A `lost` stream keeps the time at which it broke. */
  readonly since: number;
  /** When the last byte came, keep-alives included; undefined before the first. What is on the screen is from then. */
  readonly lastDataAt: number | undefined;
  /** Why the last attempt failed; undefined while live. */
  readonly error: ApiError | undefined;
}

/** Broken for this long, the stream counts as lost (UX: the strip turns red after 10 s). */
export const LOST_AFTER_MS = 10_000;
/** The server sends a comment every 15 s: two and a half of them missed means that nobody is there. */
export const SILENCE_LIMIT_MS = 38_000;

/** Open for this long, a stream counts as sound, and its next break is tried again quickly. */
const STABLE_AFTER_MS = 5_000;
/** An answer to the request itself comes at once, or not at all. */
const ANSWER_LIMIT_MS = 10_000;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5_000;

/**
 * How long to wait before attempt `attempt` (0 is the first one after a break), in ms: doubled each time up to 5 s, with
 * up to half of it taken off at random, so that many windows do not come back in step.
 */
export function reconnectDelay(attempt: number, random: () => number): number {
  const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16));
  return full - (full / 2) * random();
}

export interface LiveStreamOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  readonly random: () => number;
  /** Calls back after so many ms; what it returns takes that back. */
  readonly schedule: (callback: () => void, delayMs: number) => () => void;
  readonly onEvent: (event: RuntimeEvent) => void;
  readonly onStatus: (status: LiveStatus) => void;
  /** The stream is open: what was told before was missed, so what was read before is to be read again. */
  readonly onOpened: (isFirst: boolean) => void;
}

export interface LiveStream {
  start(): void;
  stop(): void;
  /** Tries at once instead of waiting out the delay. */
  retryNow(): void;
  status(): LiveStatus;
}

/**
 * Keeps one stream of server-sent events open for ever: resumes with `Last-Event-ID` after the last sequence that
 * came, and takes silence for a break.
 */
export function createLiveStream(options: LiveStreamOptions): LiveStream {
  const { now, schedule } = options;
  let status: LiveStatus = { state: 'connecting', since: now(), lastDataAt: undefined, error: undefined };
  let running = false;
  let attempt = 0;
  let lastSequence = 0;
  let wasLive = false;
  let connection: AbortController | undefined;
  let cancelRetry: (() => void) | undefined;
  let cancelLost: (() => void) | undefined;

  const setStatus = (change: Partial<LiveStatus>): void => {
    status = { ...status, ...change };
    options.onStatus(status);
  };

  const take = (data: string): void => {
    const event = parseEvent(data);
    if (event === undefined) return;
    // Lower than the one before where the runtime was started again with another data folder: its log counts now.
    if (event.sequence > 0) lastSequence = event.sequence;
    options.onEvent(event);
  };

  const opened = (): void => {
    cancelLost?.();
    cancelLost = undefined;
    setStatus({ state: 'live', since: now(), lastDataAt: now(), error: undefined });
    options.onOpened(!wasLive);
    wasLive = true;
  };

  const broke = (error: ApiError): void => {
    if (status.state === 'reconnecting' || status.state === 'lost') {
      setStatus({ error });
    } else {
      // One that takes the connection and drops it at once must not be asked without a pause for ever.
      if (status.state === 'live' && now() - status.since >= STABLE_AFTER_MS) attempt = 0;
      setStatus({ state: 'reconnecting', since: now(), error });
      cancelLost = schedule(() => setStatus({ state: 'lost' }), LOST_AFTER_MS);
    }
    const delay = reconnectDelay(attempt, options.random);
    attempt += 1;
    cancelRetry = schedule(() => {
      cancelRetry = undefined;
      void connect();
    }, delay);
  };

  const connect = async (): Promise<void> => {
    const controller = new AbortController();
    connection = controller;
    let failure: unknown;
    try {
      const cancelWatch = schedule(() => controller.abort(), ANSWER_LIMIT_MS);
      const response = await options
        .fetch(options.url, {
          headers: {
            Accept: 'text/event-stream',
            ...(lastSequence > 0 && { 'Last-Event-ID': String(lastSequence) }),
          },
          cache: 'no-store',
          signal: controller.signal,
        })
        .finally(cancelWatch);
      if (!response.ok || response.body === null) {
        failure = await errorOfResponse(response);
      } else {
        opened();
        await readStream(response.body, controller);
      }
    } catch (error) {
      failure = error;
    }
    // Stopped, or replaced by a newer connection: whoever did that goes on from here.
    if (!running || connection !== controller) return;
    connection = undefined;
    broke(failure instanceof ApiError ? failure : unreachable(failure));
  };

  const readStream = async (body: ReadableStream<Uint8Array>, controller: AbortController): Promise<void> => {
    const parser = createParser({ onEvent: (message) => take(message.data) });
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let first = true;
    try {
      for (;;) {
        const cancelWatch = schedule(() => controller.abort(), SILENCE_LIMIT_MS);
        const chunk = await reader.read().finally(cancelWatch);
        if (chunk.done) return;
        status = { ...status, lastDataAt: now() };
        const text = decoder.decode(chunk.value, { stream: true });
        // The first frame has the place in the log and no data, and for such a frame the parser has no callback.
        if (first && lastSequence === 0) lastSequence = Number(/^id: ?(\d+)$/m.exec(text)?.[1] ?? 0);
        first = false;
        parser.feed(text);
      }
    } finally {
      // Gives the connection back also when a handler of an event threw.
      void reader.cancel().catch(() => undefined);
    }
  };

  return {
    start() {
      if (running) return;
      running = true;
      void connect();
    },
    stop() {
      running = false;
      cancelRetry?.();
      cancelLost?.();
      cancelRetry = undefined;
      cancelLost = undefined;
      connection?.abort();
      connection = undefined;
    },
    retryNow() {
      if (!running || cancelRetry === undefined) return;
      cancelRetry();
      cancelRetry = undefined;
      void connect();
    },
    status: () => status,
  };
}

/** The event in the data of a frame; undefined for what is none, which must not end the stream. */
function parseEvent(data: string): RuntimeEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  const candidate = value as Partial<RuntimeEvent> | null;
  if (typeof candidate?.type !== 'string' || typeof candidate.sequence !== 'number') return undefined;
  return candidate as RuntimeEvent;
}
