import type { Clock } from '../../base/clock.ts';
import type { AgentState } from '../../contract/index.ts';
import { type AgentSignal, nextState, TRANSITIONS } from './agent-states.ts';

/** A change that others are to be told. */
export interface StatusChange {
  from: AgentState;
  to: AgentState;
  reason: string;
}

/** The state of one agent, why it is in it and since when; and a way to wait for the next change. */
export class AgentStatus {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #state: AgentState;
  #reason: string;
  #since: number;

  constructor(clock: Clock, first: { state: AgentState; reason: string }) {
    this.#clock = clock;
    this.#state = first.state;
    this.#reason = first.reason;
    this.#since = clock.now();
  }

  get state(): AgentState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  /** Milliseconds since the Unix epoch. */
  get since(): number {
    return this.#since;
  }

  /** Takes a signal, by the table of the transitions. Gives what is to be told, if anything is. */
  signal(signal: AgentSignal, reason: string): StatusChange | undefined {
    const from = this.#state;
    if (TRANSITIONS[signal][from] === undefined) return undefined;
    const to = nextState(from, signal);
    if (to === from && reason === this.#reason) return undefined;
    this.#state = to;
    this.#reason = reason;
    if (to !== from) this.#since = this.#clock.now();
    this.touch();
    // A restart that failed once more is news, although the state stays.
    const isNews = to !== from || signal === 'exited' || signal === 'start-refused';
    return isNews ? { from, to, reason } : undefined;
  }

  /** Something else has changed that those who wait want to know. */
  touch(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next change, after `ms`, or when the signal aborts. */
  nextChange(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const timer = this.#clock.after(ms, wake);
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake);
    return promise.finally(() => {
      timer.cancel();
      this.#waiting.delete(wake);
      signal.removeEventListener('abort', wake);
    });
  }
}
