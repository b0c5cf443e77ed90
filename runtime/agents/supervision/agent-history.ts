import type { Clock } from '../../base/clock.ts';
import type { AgentExit } from '../../contract/index.ts';
import { type AgentRecord, type AgentRecords, KEPT_EXITS, type RecordWriter } from './agent-record.ts';

/** A storage that does not answer may hold up neither a launch nor the end of the app. */
const SAVE_LIMIT_MS = 1000;

/** What the record has from the other parts of the agent, as they stand now. */
export type RecordedParts = Pick<
  AgentRecord,
  'name' | 'failures' | 'openings' | 'halfOpenAt' | 'drillResults'
> & {
  /** A turn runs, and the agent would not be started by itself after a restart of the app. */
  isWorking: boolean;
};

/**
 * The durable side of one agent: what its processes came to, and the numbers that they had. Saving goes on beside
 * supervision: a storage that fails costs history, never a recovery.
 */
export class AgentHistory {
  /** What the user wants of it, over restarts of the app. */
  desired: AgentRecord['desired'];
  /** The app ended in the middle of a turn, and the agent was not started since. */
  wasInTurn: boolean;
  readonly #clock: Clock;
  readonly #writer: RecordWriter;
  readonly #read: () => RecordedParts;
  readonly #exits: AgentExit[];
  #running: AgentRecord['running'];
  #restarts: number;
  #generation: number;
  /** The greatest number that was saved, or is about to be, as one that may be in use. */
  #claimed: number;
  #isClaimDurable = true;

  constructor(
    record: AgentRecord,
    options: {
      agentId: string;
      clock: Clock;
      records: Pick<AgentRecords, 'writer'>;
      read: () => RecordedParts;
    },
  ) {
    this.#clock = options.clock;
    this.#read = options.read;
    this.#writer = options.records.writer(options.agentId, () => this.#record());
    this.desired = record.desired;
    this.wasInTurn = record.inTurn;
    this.#exits = [...record.exits];
    this.#running = record.running;
    this.#restarts = record.restarts;
    this.#generation = record.generation;
    this.#claimed = record.generation;
  }

  /** The number of the newest process; 0 before the first. */
  get generation(): number {
    return this.#generation;
  }

  /** The newest first. */
  get exits(): AgentExit[] {
    return [...this.#exits];
  }

  /**
   * The number of the next process. It is durable by then, so that no process after a crash of the app has it again; unless
   * the storage fails or does not answer, which is not worth an agent that is down.
   */
  async claim(): Promise<number> {
    const next = this.#generation + 1;
    if (this.#claimed < next) this.#claimNext();
    if (!this.#isClaimDurable) await this.#savedInTime();
    return next;
  }

  /**
   * Adds the exit that nobody saw, because the app was killed with the process; gives it when there is one. The launcher
   * that outlived the app, or the reaper of this one, has ended it.
   */
  addUnseenExit(): AgentExit | undefined {
    if (this.#running === undefined) return undefined;
    const exit: AgentExit = {
      ...this.#running,
      at: this.#clock.now(),
      code: null,
      signal: null,
      stderr: '',
      intended: true,
      reason: 'Its end was not seen: the app was killed, or this is a copy of its data',
    };
    this.addExit(exit);
    return exit;
  }

  /**
   * A process with the number that was claimed has been started. The number after it is claimed in the background, so that
   * the next launch, which may be a recovery, need not wait for the disk.
   */
  started(generation: number, pid: number): void {
    this.#generation = generation;
    this.#running = { generation, pid };
    this.wasInTurn = false;
    this.#claimNext();
    this.save();
  }

  addExit(exit: AgentExit): void {
    this.#running = undefined;
    this.#exits.unshift(exit);
    this.#exits.length = Math.min(this.#exits.length, KEPT_EXITS);
    this.save();
  }

  addRecovery(): void {
    this.#restarts += 1;
    this.save();
  }

  /** Saves in the background. */
  save(): void {
    const claimed = this.#claimed;
    void this.#writer.save().then((isDurable) => {
      if (isDurable && claimed === this.#claimed) this.#isClaimDurable = true;
    });
  }

  /** The app ends: saves for the last time. Bounded by a second. */
  async close(): Promise<void> {
    // No process will have the number that was claimed for the next one.
    this.#claimed = this.#generation;
    await this.#savedInTime();
  }

  #claimNext(): void {
    this.#claimed = this.#generation + 1;
    this.#isClaimDurable = false;
  }

  async #savedInTime(): Promise<void> {
    const late = Promise.withResolvers<boolean>();
    const timer = this.#clock.after(SAVE_LIMIT_MS, () => late.resolve(false));
    this.#isClaimDurable = await Promise.race([this.#writer.save(), late.promise]);
    timer.cancel();
  }

  #record(): AgentRecord {
    const { isWorking, ...parts } = this.#read();
    return {
      ...parts,
      kind: 'agent',
      generation: this.#claimed,
      running: this.#running,
      exits: this.exits,
      restarts: this.#restarts,
      desired: this.desired,
      inTurn: isWorking || this.wasInTurn,
    };
  }
}
