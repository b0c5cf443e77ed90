import type { PoolClient } from 'pg';
import { systemClock } from '../../base/clock.ts';
import { CallDeadline } from '../call-deadline.ts';
import { OneBufferSocket } from './one-buffer-socket.ts';
import { queryRows, type Row } from './row-query.ts';

/** What {@link RowReceiver} takes over of a client of pg; pg's types do not name it. */
interface Wire {
  connection: { stream: NodeJS.ReadableStream & { destroy(error?: Error): void } };
  connectionParameters: { query_timeout?: number | false };
}

const DATA_ROW = 0x44;
/** The kind of a message, and its length without that byte. */
const HEADER_BYTES = 5;
/** The length says of itself that it takes 4 bytes; PostgreSQL makes nothing longer than 1 GiB. */
const LENGTHS = { least: 4, most: 1024 * 1024 * 1024 };
const FIRST_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/**
 * Receives the rows of a connection in place of pg, for whoever reads a great deal: pg gathers each message that comes in several
 * pieces in a new buffer of two to four times its size, and of bytes that are not in its heap V8 learns late. Here they are
 * gathered in one buffer that stays. All other messages are handed on to pg, one by one and whole.
 *
 * Nothing that is made for a statement may be referred to by something that is old for V8, or it lives on until the whole
 * heap is collected, and the young part of the heap doubles for it. pg's own deadline does that; so there is another one.
 */
export class RowReceiver {
  readonly #client: PoolClient;
  readonly #deadline: CallDeadline | undefined;
  readonly #handOn: (bytes: Buffer) => void;
  #rows: Row[] = [];
  /** The message that has begun to come, and how much of it is there. */
  #begun = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  /**
   * The connection stays with it until it is ended; nothing may be under way on it. A statement that is not answered within
   * `timeoutMs` rejects with `storage.unreachable`, and the connection must be ended; 0 for no limit.
   */
  constructor(client: PoolClient, timeoutMs: number) {
    this.#client = client;
    this.#deadline = timeoutMs > 0 ? new CallDeadline(systemClock, timeoutMs) : undefined;
    const { connection, connectionParameters } = client as unknown as Wire;
    connectionParameters.query_timeout = false;
    const { stream } = connection;
    const listeners = stream.listeners('data') as ((bytes: Buffer) => void)[];
    this.#handOn = (bytes) => {
      for (const listener of listeners) listener(bytes);
    };
    const take = (bytes: Buffer): void => {
      try {
        this.#take(bytes);
      } catch (error) {
        // Not what PostgreSQL says, or too long for the memory: what comes next cannot be told apart any more.
        stream.destroy(error as Error);
      }
    };
    stream.removeAllListeners('data');
    if (stream instanceof OneBufferSocket) stream.receive = take;
    else stream.on('data', take);
  }

  /** The rows that a statement answers, one statement at a time; rejects with pg's errors. All columns are text or null. */
  async ask(text: string, values: unknown[] = []): Promise<Row[]> {
    this.#rows = [];
    const asked = () => queryRows(this.#client, { name: '', text }, values);
    await (this.#deadline === undefined ? asked() : this.#deadline.run(asked));
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  /** Nothing is asked any more. */
  close(): void {
    this.#deadline?.close();
  }

  #take(bytes: Buffer): void {
    let from = 0;
    while (from < bytes.length) {
      // In the middle of one that has begun nothing says how long it is.
      const end = this.#length > 0 ? undefined : from + messageBytes(bytes, from, bytes.length);
      if (end === undefined || end > bytes.length) from = this.#goOn(bytes, from);
      else {
        this.#receive(bytes, from, end);
        from = end;
      }
    }
  }

  /** Puts what belongs to the message that has begun behind it, or begins one; answers where in `bytes` that ends. */
  #goOn(bytes: Buffer, from: number): number {
    // First only as much as tells how long it is.
    const missing = messageBytes(this.#begun, 0, this.#length) - this.#length;
    const to = Math.min(bytes.length, from + missing);
    this.#reserve(missing);
    this.#length += bytes.copy(this.#begun, this.#length, from, to);
    const length = this.#length;
    if (length >= messageBytes(this.#begun, 0, length)) {
      this.#length = 0;
      this.#receive(this.#begun, 0, length);
      if (this.#begun.length > KEPT_BYTES) this.#begun = Buffer.allocUnsafeSlow(FIRST_BYTES);
    }
    return to;
  }

  #reserve(missing: number): void {
    if (this.#length + missing <= this.#begun.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + missing, 2 * this.#begun.length));
    this.#begun.copy(larger, 0, 0, this.#length);
    this.#begun = larger;
  }

  #receive(bytes: Buffer, from: number, to: number): void {
    if (bytes[from] === DATA_ROW) this.#rows.push(rowOf(bytes, from + HEADER_BYTES, to));
    else this.#handOn(bytes.subarray(from, to));
  }
}

/**
 * How long the message is that begins at `from`; when that is not there yet, what is needed to know it. Throws when it is none: as
 * many bytes as it claims to have, up to 4 GiB, would be waited and reserved for.
 */
function messageBytes(bytes: Buffer, from: number, end: number): number {
  if (end - from < HEADER_BYTES) return HEADER_BYTES;
  const length = bytes.readUInt32BE(from + 1);
  if (length < LENGTHS.least || length > LENGTHS.most) {
    throw new RangeError(`no message of PostgreSQL is ${length} bytes long`);
  }
  return 1 + length;
}

/** The columns of a row that ends at `to`; the number of them is at `from`. */
function rowOf(bytes: Buffer, from: number, to: number): Row {
  const row: Row = [];
  let at = from + 2;
  for (let left = bytes.readUInt16BE(from); left > 0; left--) {
    const length = bytes.readInt32BE(at);
    const end = at + 4 + Math.max(0, length);
    row.push(length < 0 ? null : bytes.toString('utf8', at + 4, end));
    at = end;
  }
  // What follows is another message, or one that came before.
  if (at !== to) throw new RangeError('a row of PostgreSQL is not as long as its columns');
  return row;
}
