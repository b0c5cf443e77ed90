import type { Agent } from '../../contract/index.ts';

export type Heartbeat = Agent['heartbeats'][number];

const KEPT_HEARTBEATS = 60;
/** An answer to a probe that is later than this makes an agent *degraded*. */
export const SLOW_ANSWER_MS = 1000;

/** What the newest probes of an agent came to, over its generations. */
export class Heartbeats {
  readonly #beats: Heartbeat[] = [];

  add(beat: Heartbeat): void {
    this.#beats.push(beat);
    if (this.#beats.length > KEPT_HEARTBEATS) this.#beats.shift();
  }

  /** The newest last. */
  list(): Heartbeat[] {
    return [...this.#beats];
  }

  /** The newest probe was not answered. */
  get isSilent(): boolean {
    return this.#beats.at(-1)?.ok === false;
  }

  /** The newest probe was answered, and in time. */
  get isProven(): boolean {
    const last = this.#beats.at(-1);
    return last?.ok === true && (last.latencyMs ?? 0) <= SLOW_ANSWER_MS;
  }
}
