import { fault } from '../../contract/index.ts';

/** The longest message that is taken, in bytes. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/**
 * So much is kept of a line that is no message. What is shown of it is less (500 characters, or what the recorder of the
 * frames makes of it), so that a secret which begins in that is seen whole, and masked, before it is cut.
 */
export const NOISE_BYTES = 4096;

const NEWLINE = 0x0a;
const BRACE = 0x7b;
const BLANKS = new Set([0x20, 0x09, 0x0d, NEWLINE]);

/** A line of an agent's stdout, without its line feed. */
export interface WireLine {
  /** `message`: it begins like one. `noise`: it does not, or was cut off by the end of the stream. */
  kind: 'message' | 'noise';
  /** Of noise, the first {@link NOISE_BYTES}. It may share its memory with the chunk it came from. */
  bytes: Uint8Array;
  /** Of the whole line. */
  totalBytes: number;
}

/** Cuts what an agent writes into lines; blank ones are left out. Memory is bounded by the longest message, 32 MiB. */
export class LineSplitter {
  #state: 'beginning' | WireLine['kind'] = 'beginning';
  #pieces: Uint8Array[] = [];
  /** Of the line so far, and of that what is kept. */
  #totalBytes = 0;
  #keptBytes = 0;

  /**
   * The lines that end in this chunk. Throws `agent.protocol_error` when a message is too long: what follows on this
   * stream means nothing any more.
   */
  *push(chunk: Uint8Array): Generator<WireLine> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'beginning') {
        const byte = chunk[at] as number;
        if (BLANKS.has(byte)) {
          at += 1;
          continue;
        }
        this.#state = byte === BRACE ? 'message' : 'noise';
      }
      const newline = chunk.indexOf(NEWLINE, at);
      this.#keep(chunk.subarray(at, newline === -1 ? chunk.length : newline));
      if (newline === -1) return;
      yield this.#take();
      at = newline + 1;
    }
  }

  /** The line that the end of the stream cut off, if there is one. */
  flush(): WireLine | undefined {
    return this.#state === 'beginning' ? undefined : this.#take();
  }

  #keep(piece: Uint8Array): void {
    this.#totalBytes += piece.length;
    if (this.#state === 'message' && this.#totalBytes > MAX_MESSAGE_BYTES) {
      this.#pieces = [];
      throw fault(
        'agent.protocol_error',
        `It sent a message of more than ${MAX_MESSAGE_BYTES / 1024 / 1024} MiB, which is more than is taken.`,
      );
    }
    const kept =
      this.#state === 'message' ? piece : piece.subarray(0, Math.max(0, NOISE_BYTES - this.#keptBytes));
    if (kept.length === 0) return;
    this.#keptBytes += kept.length;
    this.#pieces.push(kept);
  }

  #take(): WireLine {
    const [first] = this.#pieces;
    const line: WireLine = {
      kind: this.#state === 'message' ? 'message' : 'noise',
      bytes: this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces),
      totalBytes: this.#totalBytes,
    };
    this.#state = 'beginning';
    this.#pieces = [];
    this.#totalBytes = 0;
    this.#keptBytes = 0;
    return line;
  }
}
