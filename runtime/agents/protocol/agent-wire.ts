/** The wire to an agent: its stdin and stdout as the stream of messages that the ACP library takes. */
import type { Readable, Writable } from 'node:stream';
import { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { AnyMessage, Stream } from '@agentclientprotocol/sdk';
import { systemCodeOf } from '../../base/errors.ts';
import type { NewFrame } from './frame-recorder.ts';
import { LineSplitter, NOISE_BYTES, type WireLine } from './wire-lines.ts';

/** So many lines that are no JSON are answered as JSON-RPC asks for; an agent that writes more of them does not listen. */
const ANSWERED_GARBAGE = 20;
const PARSE_ERROR = -32700;

type RequestId = string | number;

/** A message as it comes: anything may be in it. */
interface IncomingMessage {
  jsonrpc?: unknown;
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: unknown;
}

export interface Wire {
  stdin: Writable;
  stdout: Readable;
  /** Everything that goes over the wire, for people to look at. */
  onFrame: (frame: Omit<NewFrame, 'generation' | 'redact'>) => void;
  /** A line on stdout that is no message: it is dropped. Its first bytes, {@link NOISE_BYTES} at most. */
  onNoise: (line: string) => void;
  /** A message that belongs to nothing (an answer that nobody waits for, an id used twice): it is dropped. In words. */
  onStray: (what: string) => void;
  /**
   * A `session/update`, as it came. It is taken off the stream here because the library drops updates of a kind that it
   * does not know, and may deliver one after the answer to the prompt that it belongs to. Nothing more is read from the
   * agent before a promise that it returns has settled, so that a flood waits in the agent and not in our memory.
   */
  onUpdate: (params: unknown) => void | Promise<void>;
  /**
   * There is nothing more to read: stdout has ended, or, with an error, what came cannot be taken. What it throws is what
   * everything that waits for an answer gets; it may take its time to find out.
   */
  onEnd: (error?: unknown) => Promise<never>;
  /** A message could not be written. It is lost; what waits for its answer hears of it through `onEnd` or not at all. */
  onWriteFailed: (error: Error) => void;
}

export function openWire(options: Wire): Stream {
  const wire = new AgentWire(options);
  return {
    writable: new WritableStream<AnyMessage>({ write: (message) => wire.write(message) }),
    // The types of the DOM do not know `ReadableStream.from` yet.
    readable: NodeReadableStream.from(wire.read()) as unknown as ReadableStream<AnyMessage>,
  };
}

class AgentWire {
  readonly #wire: Wire;
  /** The methods of the requests that wait for an answer: ours by id, and the agent's. */
  readonly #ours = new Map<RequestId, string>();
  readonly #theirs = new Map<RequestId, string>();
  #garbage = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Resolves when the message was handed to the system, also when that failed. */
  write(message: AnyMessage): Promise<void> {
    const { id, method } = message as { id?: RequestId | null; method?: string };
    let answered: string | undefined;
    if (id !== undefined && id !== null) {
      if (method === undefined) {
        answered = this.#theirs.get(id);
        this.#theirs.delete(id);
      } else this.#ours.set(id, method);
    }
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
    this.#wire.onFrame({
      direction: 'sent',
      method: method ?? answered,
      requestId: id ?? undefined,
      isError: 'error' in message,
      bytes: bytes.subarray(0, -1),
    });
    return new Promise((resolve) => {
      this.#wire.stdin.write(bytes, (error) => {
        if (error) this.#wire.onWriteFailed(error);
        resolve();
      });
    });
  }

  /** The messages that are for the library: requests, and answers that somebody waits for. */
  async *read(): AsyncGenerator<AnyMessage> {
    const splitter = new LineSplitter();
    try {
      for await (const chunk of untilDestroyed(this.#wire.stdout)) {
        for (const line of splitter.push(chunk)) {
          const message = this.#parse(line);
          if (message === undefined) continue;
          if (message.method === 'session/update' && message.id == null) {
            const held = this.#wire.onUpdate(message.params);
            if (held !== undefined) await held;
          } else if (this.#isForTheLibrary(message)) {
            // Without the version the library would send the whole message back, whatever is in it.
            message.jsonrpc = '2.0';
            yield message as AnyMessage;
          }
        }
      }
      const cutOff = splitter.flush();
      if (cutOff !== undefined) this.#noise(cutOff);
    } catch (error) {
      await this.#wire.onEnd(error);
    }
    await this.#wire.onEnd();
  }

  #parse(line: WireLine): IncomingMessage | undefined {
    if (line.kind === 'noise') {
      this.#noise(line);
      return undefined;
    }
    try {
      const message = JSON.parse(textOf(line.bytes)) as IncomingMessage;
      const { id } = message;
      this.#wire.onFrame({
        direction: 'received',
        method:
          typeof message.method === 'string' ? message.method : isId(id) ? this.#ours.get(id) : undefined,
        requestId: isId(id) ? id : undefined,
        isError: message.error != null,
        bytes: line.bytes,
      });
      return message;
    } catch {
      this.#noise(line);
      this.#garbage += 1;
      if (this.#garbage <= ANSWERED_GARBAGE) {
        void this.write({
          jsonrpc: '2.0',
          id: null,
          error: { code: PARSE_ERROR, message: 'Parse error' },
        });
      }
      return undefined;
    }
  }

  #isForTheLibrary(message: IncomingMessage): boolean {
    const { id, method } = message;
    // A notification: of those the library has to know this one only.
    if (id === undefined) return method === '$/cancel_request';
    if (!isId(id)) {
      this.#wire.onStray(
        typeof method === 'string' ? `the request ${method} has no usable id` : 'an answer has no usable id',
      );
      return false;
    }
    if (typeof method === 'string') {
      if (this.#theirs.has(id)) {
        this.#wire.onStray(`the request ${method} has the id ${id} of another one that waits`);
        return false;
      }
      this.#theirs.set(id, method);
      return true;
    }
    const isAwaited = this.#ours.delete(id);
    if (isAwaited) withoutNulls(message);
    else this.#wire.onStray(`nobody waits for an answer with the id ${id}`);
    return isAwaited;
  }

  #noise({ bytes, totalBytes }: WireLine): void {
    const kept = bytes.subarray(0, NOISE_BYTES);
    this.#wire.onFrame({ direction: 'noise', bytes: kept, totalBytes });
    this.#wire.onNoise(textOf(kept).trimEnd());
  }
}

/**
 * Some agents write every member that a message can have, `"method":null` and `"error":null` in an answer, too. The library
 * takes that for no answer, and whoever waits for it would wait for ever.
 */
function withoutNulls(answer: IncomingMessage): void {
  if (typeof answer.method !== 'string') delete answer.method;
  if (answer.error === null) delete answer.error;
  else if (answer.result === null && answer.error !== undefined) delete answer.result;
}

function isId(id: unknown): id is RequestId {
  return typeof id === 'string' || typeof id === 'number';
}

/** What is no UTF-8 becomes U+FFFD. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** A stream that is destroyed while it is read (the process is gone, somebody else holds the pipe) has ended. */
async function* untilDestroyed(stdout: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stdout;
  } catch (error) {
    if (systemCodeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
