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

/** A timer that is later than this was not held up by the agent: this process stood still (the lid was closed, the loop blocked). */
const STOOD_STILL_MS = 1000;

/**
 * In an interval probes are sent at so many moments, common to all agents: with many agents waking this process up costs more
 * than what it then does (measured with 50 idle agents: 1.3 % of a core instead of 2.0).
 */
const PHASES = 8;

/**
 * The third layer of liveness, the protocol. There is never more than one probe under way, so that a hung agent does not
 * find a heap of them when it wakes up; the late answer to that one is the sign that it is back. Time in which this process
 * itself stood still is no silence of the agent's: its answer may have been waiting for us all the while.
 */
export class LivenessProbe {
  readonly #options: LivenessProbeOptions;
  #timer: Timer | undefined;
  #timeout: Timer | undefined;
  #tickedAt: number;
  #sentAt: number | undefined;
  #ended = false;

  constructor(options: LivenessProbeOptions) {
    this.#options = options;
    const { clock, intervalMs } = options;
    this.#tickedAt = clock.monotonic();
    const offsetMs = this.#tickedAt % (intervalMs / PHASES);
    this.#timer = clock.after(intervalMs - offsetMs, () => {
      this.#timer = clock.every(intervalMs, () => this.#tick());
      this.#tick();
    });
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
    const { clock, intervalMs, timeoutMs, limitMs, lastActivityAt, onSilent, onGivenUp } = this.#options;
    const now = clock.monotonic();
    const stoodStill = now - this.#tickedAt > intervalMs + STOOD_STILL_MS;
    this.#tickedAt = now;
    if (this.#sentAt === undefined) {
      this.#send();
      return;
    }
    if (stoodStill) {
      this.#waitFromNow();
      return;
    }
    const silentMs = now - Math.max(this.#sentAt, lastActivityAt());
    if (silentMs >= limitMs) {
      this.end();
      onGivenUp(silentMs);
    } else if (now - this.#sentAt > timeoutMs) onSilent(silentMs);
  }

  #send(): void {
    const { ping, clock, onAnswer } = this.#options;
    this.#waitFromNow();
    ping().then(
      () => {
        this.#timeout?.cancel();
        const sentAt = this.#sentAt ?? clock.monotonic();
        this.#sentAt = undefined;
        if (!this.#ended) onAnswer(clock.monotonic() - sentAt);
      },
      () => this.end(),
    );
  }

  /** The agent has the whole time to answer, from now on. */
  #waitFromNow(): void {
    const { clock, timeoutMs, onSilent } = this.#options;
    const from = clock.monotonic();
    this.#sentAt = from;
    this.#timeout?.cancel();
    this.#timeout = clock.after(timeoutMs, () => {
      if (clock.monotonic() - from > timeoutMs + STOOD_STILL_MS) this.#waitFromNow();
      else onSilent(timeoutMs);
    });
  }
}
