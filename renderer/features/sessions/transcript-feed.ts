import type { RuntimeEvent, SessionDetail } from '#contract';
import { foldTranscript, type MessageDelta } from './fold-transcript.ts';

/** How often the transcript is drawn again at most while text streams in: 20 times a second. */
export const FOLD_INTERVAL_MS = 50;
/** Pause before the session is read again when what was read did not close a gap. */
export const GAP_RETRY_MS = 1000;

export interface TranscriptFeedOptions {
  /** The session as it is shown now. */
  current(): SessionDetail | undefined;
  show(detail: SessionDetail): void;
  /** Asks for the session to be read again, through {@link TranscriptFeed.read}. */
  readAgain(): void;
  now?: () => number;
  setTimer?: (callback: () => void, milliseconds: number) => unknown;
  clearTimer?: (timer: unknown) => void;
}

/**
 * Brings the live events of one session into what is shown: the first at once, the following in batches. What arrives
 * while the session is being read is folded into the answer, so that a slow answer takes nothing back.
 */
export class TranscriptFeed {
  readonly #options: Required<TranscriptFeedOptions>;
  #queue: RuntimeEvent[] = [];
  #held: MessageDelta[] = [];
  /** One list for each reading under way: what has arrived since it began. */
  readonly #meanwhile = new Set<RuntimeEvent[]>();
  #timer: unknown;
  #retry: unknown;
  #lastFold = Number.NEGATIVE_INFINITY;

  constructor(options: TranscriptFeedOptions) {
    this.#options = {
      now: () => performance.now(),
      setTimer: (callback, milliseconds) => setTimeout(callback, milliseconds),
      clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
      ...options,
    };
  }

  receive(event: RuntimeEvent): void {
    this.#queue.push(event);
    for (const list of this.#meanwhile) list.push(event);
    if (this.#timer !== undefined) return;
    const wait = this.#lastFold + FOLD_INTERVAL_MS - this.#options.now();
    if (wait <= 0) this.flush();
    else this.#timer = this.#options.setTimer(() => this.flush(), wait);
  }

  /** Shows everything that has been received. */
  flush(): void {
    this.#clearTimer();
    const current = this.#options.current();
    // Nothing to fold into: a reading is under way, and folds what arrives meanwhile.
    if (current === undefined) {
      this.#queue = [];
      return;
    }
    this.#lastFold = this.#options.now();
    const { detail, held } = foldTranscript(current, this.#queue, this.#held);
    this.#queue = [];
    this.#held = held;
    if (detail !== current) this.#options.show(detail);
    if (held.length > 0 && this.#meanwhile.size === 0 && this.#retry === undefined) this.#options.readAgain();
  }

  /** Reads the session with `fetchSession`, and folds what happens meanwhile into the answer. */
  async read(fetchSession: () => Promise<SessionDetail>): Promise<SessionDetail> {
    const meanwhile: RuntimeEvent[] = [];
    this.#meanwhile.add(meanwhile);
    this.#stopRetry();
    try {
      const { detail, held } = foldTranscript(await fetchSession(), meanwhile);
      this.#held = held;
      if (held.length > 0) {
        this.#retry = this.#options.setTimer(() => {
          this.#retry = undefined;
          if (this.#held.length > 0) this.#options.readAgain();
        }, GAP_RETRY_MS);
      }
      return detail;
    } finally {
      this.#meanwhile.delete(meanwhile);
    }
  }

  /** Shows what is left and stops its timers. It may be used again. */
  stop(): void {
    this.flush();
    this.#stopRetry();
  }

  #stopRetry(): void {
    if (this.#retry !== undefined) this.#options.clearTimer(this.#retry);
    this.#retry = undefined;
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
