import type { Clock } from '../../base/clock.ts';
import type { ProtocolFrame } from '../../contract/index.ts';

const MAX_FRAMES = 500;
/** Of all kept frames together. */
const MAX_BYTES = 4 * 1024 * 1024;
const SHOWN_BYTES = 16 * 1024;
/**
 * So much more of a frame is kept than is shown: a secret that begins in what is shown is then seen whole, and masked,
 * even when the cut goes through it.
 */
const MARGIN_BYTES = 2 * 1024;

export interface NewFrame {
  generation: number;
  direction: ProtocolFrame['direction'];
  method?: string | undefined;
  requestId?: string | number | undefined;
  isError?: boolean;
  /** Without its line feed. It may be used again by the caller; a part of it is copied. */
  bytes: Uint8Array;
  /** Of the whole frame, when `bytes` is only its beginning. */
  totalBytes?: number;
  /** Masks the secrets of this generation. */
  redact: (text: string) => string;
}

type KeptFrame = Omit<NewFrame, 'bytes'> & { number: number; at: number; bytes: Buffer; totalBytes: number };

/**
 * What went over the wire of an agent last: the newest 500 frames within 4 MiB, over all its generations. Recording costs
 * a copy of at most 18 KiB; frames are decoded and redacted when somebody looks.
 */
export class FrameRecorder {
  readonly #clock: Pick<Clock, 'now'>;
  #frames: KeptFrame[] = [];
  #bytes = 0;
  #count = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  record(frame: NewFrame): void {
    const bytes = Buffer.from(frame.bytes.subarray(0, SHOWN_BYTES + MARGIN_BYTES));
    this.#count += 1;
    this.#bytes += bytes.length;
    this.#frames.push({
      ...frame,
      bytes,
      totalBytes: frame.totalBytes ?? frame.bytes.length,
      number: this.#count,
      at: this.#clock.now(),
    });
    // Twice the number is allowed before the oldest are cut off, so that a frame does not cost a shift of all others.
    if (this.#frames.length >= 2 * MAX_FRAMES || this.#bytes > MAX_BYTES) this.#trim();
  }

  /** The newest 500 frames with a number greater than `after`, the oldest first. */
  list(after: number): ProtocolFrame[] {
    return this.#frames
      .slice(-MAX_FRAMES)
      .filter(({ number }) => number > after)
      .map(shown);
  }

  #trim(): void {
    let from = Math.max(0, this.#frames.length - MAX_FRAMES);
    let bytes = 0;
    for (let i = this.#frames.length - 1; i >= from; i--) {
      bytes += this.#frames[i]?.bytes.length ?? 0;
      if (bytes > MAX_BYTES) {
        from = i + 1;
        bytes -= this.#frames[i]?.bytes.length ?? 0;
      }
    }
    this.#frames = this.#frames.slice(from);
    this.#bytes = bytes;
  }
}

function shown({ bytes, totalBytes, redact, isError = false, ...frame }: KeptFrame): ProtocolFrame {
  const { number, at, generation, direction, method, requestId } = frame;
  return {
    number,
    at,
    generation,
    direction,
    ...(method === undefined ? {} : { method }),
    ...(requestId === undefined ? {} : { requestId }),
    isError,
    bytes: totalBytes,
    text: shownText(bytes, totalBytes, redact),
  };
}

function shownText(bytes: Buffer, totalBytes: number, redact: (text: string) => string): string {
  const redacted = redact(bytes.toString('utf8'));
  if (bytes.length < totalBytes) return redacted.slice(0, -MARGIN_BYTES);
  if (bytes.length <= SHOWN_BYTES) return redacted;
  // All of it was kept, so no secret is cut.
  return Buffer.from(redacted).subarray(0, SHOWN_BYTES).toString('utf8').replace(/�$/, '');
}
