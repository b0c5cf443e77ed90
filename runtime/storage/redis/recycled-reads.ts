import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { AbstractConnector, type RedisOptions } from 'ioredis';

const READ_BYTES = 64 * 1024;
/** With less room than that left, the next read begins another buffer. */
const LEAST_BYTES = READ_BYTES / 2;
/** Buffers that are kept after a long answer. */
const KEPT = 16;

/** The buffers that one socket reads into. */
class Buffers {
  readonly #free: Buffer[] = [];
  /** The last one is what the socket reads into next. */
  readonly #used: Buffer[] = [];
  /** Bytes of the last one that have been read into. */
  #filled = READ_BYTES;

  /** Where the next piece goes. */
  next(): Buffer {
    if (READ_BYTES - this.#filled < LEAST_BYTES) {
      this.#used.push(this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES));
      this.#filled = 0;
    }
    return (this.#used.at(-1) as Buffer).subarray(this.#filled);
  }

  /** So many bytes have come. Over a network it may be few at a time: a buffer for each would be fifty times what was read. */
  took(count: number): void {
    this.#filled += count;
  }

  recycle(): void {
    for (const buffer of this.#used.splice(0, this.#used.length - 1)) {
      if (this.#free.length < KEPT) this.#free.push(buffer);
    }
  }
}

/**
 * Sockets for the client that read into the same buffers again and again, where others have a new one of 64 KB for each piece that
 * comes: V8 learns late of bytes that are not in its heap, and collects all of it again and again because of them. The client
 * refers to what it has read until the whole answer is there, and the answer is made of it; so whoever asks tells when he has
 * done with all answers. Each socket has buffers of its own: one that was given up may still read.
 */
export class RecycledReads {
  #buffers = new Buffers();

  /** Nobody refers any more to anything that was answered. Nothing may be under way. */
  recycle(): void {
    this.#buffers.recycle();
  }

  connect(place: TcpNetConnectOpts): Socket {
    const buffers = new Buffers();
    this.#buffers = buffers;
    const callback = (count: number, bytes: Uint8Array): boolean => {
      buffers.took(count);
      socket.emit('data', bytes.subarray(0, count));
      return true;
    };
    const socket: Socket = connect({ ...place, onread: { buffer: () => buffers.next(), callback } });
    return socket;
  }
}

/** What the client makes its sockets by. Not for TLS, where what is read are the bytes of another stream. */
export function connectorFor(reads: RecycledReads) {
  return class extends AbstractConnector {
    readonly #place: TcpNetConnectOpts;

    constructor(given: unknown) {
      const { disconnectTimeout = 0, host, port = 0, family } = given as RedisOptions;
      super(disconnectTimeout);
      this.#place = {
        port,
        ...(host === undefined ? {} : { host }),
        ...(family === undefined ? {} : { family }),
      };
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const stream = reads.connect(this.#place);
      this.stream = stream;
      stream.once('error', (error) => {
        this.firstError = error;
      });
      return stream;
    }
  };
}
