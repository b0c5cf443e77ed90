import type { Clock, Timer } from '../../base/clock.ts';

export interface LivenessProbeOptions {
  /** Asks for a sign of life; rejects only when the connection is closed. */
  ping: () => Promise<void>;
  clock: Clock;
  /** Milliseconds between two probes (`HEARTBEAT_INTERVAL_MS`). */
  intervalMs: number;
  /** Milliseconds without an answer after which the agent counts as silent (`LIVENESS_PROBE_TIMEOUT_MS`). */
  timeoutMs: number;
  /** Milliseconds of silence after which it is given up (`AGENT_HEARTBEAT_TIMEOUT`). */
  limitMs: number;
  /** When something else than an answer came from the agent last, on the monotonic clock: a sign of life, too. */
  lastActivityAt: () => number;
  onAnswer: (latencyMs: number) => void;
  /** Told at the time-out, and then once an interval for as long as it is silent. */
  onSilent: (silentMs: number) => void;
  /** Told once; the probe has ended then. */
  onGivenUp: (silentMs: number) => void;
}

/**
 * The third layer of liveness, the protocol. There is never more than one probe under way, so that a hung agent does not
 * find a heap of them when it wakes up; the late answer to that one is the sign that it is back.
 */
export class LivenessProbe {
  readonly #options: LivenessProbeOptions;
  #timer: Timer | undefined;
  #timeout: Timer | undefined;
  #sentAt: number | undefined;
  #ended = false;

  constructor(options: LivenessProbeOptions) {
    this.#options = options;
    this.#timer = options.clock.every(options.intervalMs, () => this.#tick());
  }

  /** Idempotent. Nothing is told afterwards. */
  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#timeout?.cancel();
  }

  /** Probes at once, unless a probe is under way already. */
  now(): void {
    if (!this.#ended && this.#sentAt === undefined) this.#send();
  }

  #tick(): void {
    const { clock, timeoutMs, limitMs, lastActivityAt, onSilent, onGivenUp } = this.#options;
    if (this.#sentAt === undefined) {
      this.#send();
      return;
    }
    const now = clock.monotonic();
    const silentMs = now - Math.max(this.#sentAt, lastActivityAt());
    if (silentMs >= limitMs) {
      this.end();
      onGivenUp(silentMs);
    } else if (now - this.#sentAt > timeoutMs) onSilent(silentMs);
  }

  #send(): void {
    const { ping, clock, timeoutMs, onAnswer, onSilent } = this.#options;
    const sentAt = clock.monotonic();
    this.#sentAt = sentAt;
    this.#timeout = clock.after(timeoutMs, () => onSilent(timeoutMs));
    ping().then(
      () => {
        this.#timeout?.cancel();
        this.#sentAt = undefined;
        if (!this.#ended) onAnswer(clock.monotonic() - sentAt);
      },
      () => this.end(),
    );
  }
}
