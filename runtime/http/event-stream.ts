import type { Clock } from '../base/clock.ts';
import { fault, type RuntimeEvent, topicsQuery } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import { invalidRequest } from './problem.ts';

/** Proxies close what is silent for long, the shortest after about 30 s; this also finds dead connections. */
const HEARTBEAT_MS = 15_000;
/** What a browser's EventSource waits before it comes back. */
const RETRY_MS = 1000;
/** Bytes that may wait for a slow reader; then nothing more is taken from the bus, which has the log to go back to. */
const BUFFER_BYTES = 64 * 1024;

export interface EventStreamDependencies {
  bus: Pick<EventBus, 'stream' | 'read'>;
  clock: Clock;
}

/**
 * `GET /api/events/stream?topics=a.*,b.>` as server-sent events. Each has the whole envelope as its `data` and no `event`
 * name, so that `onmessage` and any reader of the text get all of them. `id` is the sequence, on durable events only:
 * it comes back as `Last-Event-ID` (or the query `lastEventId`), and the stream goes on right after it. A first frame
 * carries the place in the log where the stream begins, so that one who loses the connection before the first event
 * misses nothing either. Ends when `signal` aborts or the reader goes away.
 */
export async function openEventStream(
  request: Request,
  signal: AbortSignal,
  { bus, clock }: EventStreamDependencies,
): Promise<Response> {
  const url = new URL(request.url);
  const topics = parseTopics(url.searchParams.get('topics'));
  const resumeAt = parseLastEventId(
    request.headers.get('last-event-id') ?? url.searchParams.get('lastEventId') ?? '',
  );
  const headers = {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    // nginx would otherwise hold back what is not a full buffer
    'x-accel-buffering': 'no',
  };
  if (request.method === 'HEAD') return new Response(null, { headers });
  const after = resumeAt ?? (await bus.read({ limit: 1 })).items[0]?.sequence ?? 0;

  const ended = new AbortController();
  const events = bus.stream({ topics, after, signal: ended.signal })[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let heartbeat: { cancel(): void } | undefined;

  const release = () => {
    heartbeat?.cancel();
    signal.removeEventListener('abort', onAbort);
    // The abort ends one that waits for the next event, the return one that rests because the reader is slow.
    ended.abort();
    void events.return?.().catch(() => undefined);
  };
  let close: () => void = () => undefined;
  const onAbort = () => {
    release();
    close();
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let open = true;
        close = () => {
          if (open) controller.close();
          open = false;
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\nid: ${after}\n: open\n\n`));
        heartbeat = clock.every(HEARTBEAT_MS, () => {
          // A reader that does not even take what is there would only be given more to hold.
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(': still here\n\n'));
        });
      },
      async pull(controller) {
        try {
          const next = await events.next();
          if (ended.signal.aborted) return;
          if (next.done === true) return onAbort();
          controller.enqueue(encoder.encode(frame(next.value)));
        } catch (error) {
          release();
          throw error;
        }
      },
      cancel: release,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  );
  return new Response(body, { headers });
}

function frame(event: RuntimeEvent): string {
  const id = event.sequence > 0 ? `id: ${event.sequence}\n` : '';
  // JSON has no line breaks of its own, so one `data` line holds all of it.
  return `${id}data: ${JSON.stringify(event)}\n\n`;
}

/** Without the query: everything. */
function parseTopics(text: string | null): string[] {
  const parsed = topicsQuery.safeParse(text ?? '>');
  if (parsed.success) return parsed.data;
  throw fault(
    'event.invalid_topic',
    'The topics must be dotted words of lower-case letters, digits, dashes and underscores, separated by commas; `*` ' +
      'stands for one word, `>` at the end for all that follow.',
    { topics: (text ?? '').slice(0, 200) },
  );
}

function parseLastEventId(text: string): number | undefined {
  if (text === '') return undefined;
  const sequence = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(sequence)) return sequence;
  throw invalidRequest([{ path: 'lastEventId', message: 'must be the id of an event of this stream' }]);
}
