/** The wire to an agent: its stdin and stdout as the stream of messages that the ACP library takes. */
import type { Readable, Writable } from 'node:stream';
import { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { type AnyMessage, ndJsonStream, type Stream } from '@agentclientprotocol/sdk';
import { systemCodeOf } from '../../base/errors.ts';

/** The longest message that is taken, in bytes. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
const NOISE_LENGTH = 500;

const NEWLINE = 0x0a;
const BRACE = 0x7b;
const BLANKS = new Set([0x20, 0x09, 0x0d, NEWLINE]);

export interface Wire {
  stdin: Writable;
  stdout: Readable;
  /** A line on stdout that is no message: it is dropped. Cut to 500 characters. */
  onNoise: (line: string) => void;
  /**
   * A `session/update`, as it came. It is taken off the stream here because the library drops updates of a kind that it
   * does not know, and may deliver one after the answer to the prompt that it belongs to.
   */
  onUpdate: (params: unknown) => void;
  /**
   * There is nothing more to read: stdout has ended, or, with an error, what came cannot be taken. What it throws is what
   * everything that waits for an answer gets; it may take its time to find out.
   */
  onEnd: (error?: unknown) => Promise<never>;
  /** A message could not be written. It is lost; what waits for its answer hears of it through `onEnd` or not at all. */
  onWriteFailed: (error: Error) => void;
}

export function openWire(wire: Wire): Stream {
  const output = new WritableStream<Uint8Array>({
    write: (bytes) =>
      new Promise((resolve) => {
        wire.stdin.write(bytes, (error) => {
          if (error) wire.onWriteFailed(error);
          resolve();
        });
      }),
  });
  const input = streamOf(messageLines(wire.stdout, wire.onNoise));
  const stream = ndJsonStream(output, input, { maxMessageBytes: MAX_MESSAGE_BYTES });
  return { writable: stream.writable, readable: streamOf(messagesForTheLibrary(stream.readable, wire)) };
}

/** The types of the DOM do not know `ReadableStream.from` yet. */
function streamOf<T>(values: AsyncIterable<T>): ReadableStream<T> {
  return NodeReadableStream.from(values) as unknown as ReadableStream<T>;
}

/** What is in the lines that begin like a message; lines that do not are told to `onNoise`. */
export async function* messageLines(
  stdout: AsyncIterable<Uint8Array>,
  onNoise: (line: string) => void,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder();
  let line: 'beginning' | 'message' | 'noise' = 'beginning';
  let noise = '';
  const endNoise = () => {
    onNoise(noise.trimEnd());
    noise = '';
  };
  for await (const chunk of untilDestroyed(stdout)) {
    let at = 0;
    // Where the bytes begin that are to be passed on, so that a chunk without noise is passed on in one piece.
    let keepFrom = line === 'noise' ? -1 : 0;
    while (at < chunk.length) {
      if (line === 'beginning') {
        const byte = chunk[at] as number;
        if (BLANKS.has(byte)) {
          at += 1;
          continue;
        }
        line = byte === BRACE ? 'message' : 'noise';
        if (line === 'noise') {
          if (keepFrom !== -1 && at > keepFrom) yield chunk.subarray(keepFrom, at);
          keepFrom = -1;
        } else if (keepFrom === -1) keepFrom = at;
      }
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline === -1 ? chunk.length : newline + 1;
      if (line === 'noise' && noise.length < NOISE_LENGTH) {
        noise += decoder.decode(chunk.subarray(at, Math.min(end, at + NOISE_LENGTH - noise.length)));
      }
      if (newline !== -1) {
        if (line === 'noise') endNoise();
        line = 'beginning';
      }
      at = end;
    }
    if (keepFrom !== -1) yield chunk.subarray(keepFrom);
  }
  if (line === 'noise') endNoise();
}

/** A stream that is destroyed while it is read (the process is gone, somebody else holds the pipe) has ended. */
async function* untilDestroyed(stdout: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stdout;
  } catch (error) {
    if (systemCodeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

async function* messagesForTheLibrary(
  messages: ReadableStream<AnyMessage>,
  { onUpdate, onEnd }: Pick<Wire, 'onUpdate' | 'onEnd'>,
): AsyncGenerator<AnyMessage> {
  try {
    for await (const message of messages) {
      if ('method' in message && message.method === 'session/update' && !('id' in message)) {
        onUpdate(message.params);
      } else yield message;
    }
  } catch (error) {
    await onEnd(error);
  }
  await onEnd();
}
