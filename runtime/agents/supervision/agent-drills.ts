import type { Clock, Timer } from '../../base/clock.ts';
import { isCoded } from '../../base/errors.ts';
import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import { type AgentDrill, type AgentDrillResult, fault } from '../../contract/index.ts';
import type { AgentGeneration } from './agent-generation.ts';
import { KEPT_DRILLS } from './agent-record.ts';
import { rehearse } from './rehearsals.ts';

/** A drill whose agent is not ready again by then has failed. */
const DRILL_LIMIT_MS = 60_000;

export interface AgentDrillsOptions {
  clock: Clock;
  makeId: MakeId;
  /** The drill began, or it ended. To be told and to be kept. */
  onChange: (change: 'started' | 'ended', drill: AgentDrillResult) => void;
}

/** What is under way, beside its result. */
interface RunningDrill {
  result: AgentDrillResult;
  /** On the monotonic clock. */
  startedAt: number;
  limit: Timer;
  /** Ends the rehearsal when the drill ends before it. */
  abort: AbortController;
  /** All of the failure has been caused: what is seen from now on is the recovery from it. */
  isCaused: boolean;
}

/**
 * The drills of one agent: at most one at a time. The supervisor recovers from it like from
 * the real thing; what it sees is told here, and makes the times of the result.
 */
export class AgentDrills {
  readonly #options: AgentDrillsOptions;
  readonly #results: AgentDrillResult[] = [];
  #running: RunningDrill | undefined;

  constructor(options: AgentDrillsOptions) {
    this.#options = options;
  }

  /** The newest first. */
  get results(): AgentDrillResult[] {
    return this.#results.map((result) => ({ ...result }));
  }

  /** Of the drill under way. */
  get kind(): AgentDrill | undefined {
    return this.#running?.result.kind;
  }

  /** A drill is under way that made this process fail. */
  isOf(generation: number): boolean {
    return this.#running?.result.generation === generation;
  }

  /** Takes over what an earlier app knew. */
  restore(results: readonly AgentDrillResult[]): void {
    this.#results.push(...results.map((result) => ({ ...result })));
  }

  /** A drill that ran when an earlier app ended has failed; that is told. */
  closeUnseen(): void {
    for (const result of this.#results) {
      if (result.state !== 'running' || result === this.#running?.result) continue;
      result.state = 'failed';
      result.note = 'The app was ended in the middle of it';
      this.#options.onChange('ended', { ...result });
    }
  }

  /** Throws `agent.drill_running`. */
  start(kind: AgentDrill, generation: AgentGeneration): void {
    const { clock, makeId, onChange } = this.#options;
    if (this.#running !== undefined) {
      throw fault('agent.drill_running', `The drill ${this.#running.result.kind} is not over yet.`, {
        kind: this.#running.result.kind,
      });
    }
    const result: AgentDrillResult = {
      id: timeOrderedId(clock.now(), makeId),
      kind,
      startedAt: clock.now(),
      generation: generation.number,
      state: 'running',
      interruptedTurns: 0,
      note: '',
    };
    const drill: RunningDrill = {
      result,
      startedAt: clock.monotonic(),
      limit: clock.after(DRILL_LIMIT_MS, () => this.#timedOut(drill, generation)),
      abort: new AbortController(),
      isCaused: false,
    };
    this.#running = drill;
    this.#results.unshift(result);
    this.#results.length = Math.min(this.#results.length, KEPT_DRILLS);
    onChange('started', { ...result });
    void this.#cause(drill, generation);
  }

  /** The state of the agent says by now that something is wrong. */
  detected(): void {
    const drill = this.#running;
    if (drill !== undefined) drill.result.detectMs ??= this.#elapsed(drill);
  }

  /** A turn was ended by a failure. */
  turnInterrupted(): void {
    if (this.#running !== undefined) this.#running.result.interruptedTurns += 1;
  }

  /** A probe was answered in time by this generation, or it has just become ready. */
  serves(generation: number): void {
    const drill = this.#running;
    if (drill === undefined) return;
    const isReplaced = generation > drill.result.generation;
    switch (drill.result.kind) {
      case 'crash':
      case 'hang':
        if (isReplaced) this.#recovered(drill);
        return;
      case 'slow':
        if (isReplaced || (drill.isCaused && drill.result.detectMs !== undefined)) this.#recovered(drill);
        return;
      case 'flood':
        if (isReplaced || drill.isCaused) this.#recovered(drill);
    }
  }

  /** The drill under way, if there is one, will not be recovered from. */
  fail(note: string): void {
    const drill = this.#running;
    if (drill !== undefined) this.#end(drill, 'failed', note);
  }

  async #cause(drill: RunningDrill, generation: AgentGeneration): Promise<void> {
    try {
      await rehearse(drill.result.kind, generation, this.#options.clock, drill.abort.signal);
    } catch (error) {
      // The agent refuses. Anything else is a process that ended of it, which is seen by its exit and recovered from.
      if (this.#running === drill && isCoded(error, 'agent.failed'))
        this.#end(drill, 'failed', error.message);
      return;
    }
    drill.isCaused = true;
    if (this.#running === drill) generation.probeNow();
  }

  #timedOut(drill: RunningDrill, generation: AgentGeneration): void {
    // What was stopped and not noticed goes on: nothing else would wake it.
    if (generation.isRunning) generation.connection.process.signal('SIGCONT');
    this.#end(
      drill,
      'failed',
      drill.result.detectMs === undefined
        ? `Nothing was noticed within ${DRILL_LIMIT_MS / 1000} s`
        : `It was not ready again within ${DRILL_LIMIT_MS / 1000} s`,
    );
  }

  #recovered(drill: RunningDrill): void {
    drill.result.recoverMs = this.#elapsed(drill);
    this.#end(drill, 'recovered', '');
  }

  #end(drill: RunningDrill, state: 'recovered' | 'failed', note: string): void {
    this.#running = undefined;
    drill.limit.cancel();
    drill.abort.abort();
    drill.result.state = state;
    drill.result.note = note;
    this.#options.onChange('ended', { ...drill.result });
  }

  #elapsed(drill: RunningDrill): number {
    return Math.round(this.#options.clock.monotonic() - drill.startedAt);
  }
}
