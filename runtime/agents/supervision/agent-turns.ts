import type { Clock } from '../../base/clock.ts';
import { isCoded } from '../../base/errors.ts';
import type { Settings } from '../../settings/settings.ts';
import type { PromptRequest, PromptResult } from '../agents.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import { keptTurns } from '../protocol/agent-priming.ts';
import type { AgentSignal } from './agent-states.ts';
import { RunningTurns } from './running-turns.ts';

const MEGABYTE = 1024 * 1024;

export interface AgentTurnsOptions {
  clock: Clock;
  settings: Pick<Settings, 'agentStateMessageHistory' | 'agentStateMaxSizeMb'>;
  signal: (signal: AgentSignal, reason: string, correlationId?: string) => void;
  /** Why the agent cannot be called healthy when its turns have ended; undefined when its last probe proves that it is. */
  unproven: () => string | undefined;
  onQuiet: (since: number | undefined) => void;
  /** A turn was ended by a failure of the process. */
  onInterrupted: () => void;
  /** The first turn began, or the last one ended. */
  onWorking: () => void;
}

/** The turns of one agent, and what they mean for its state. */
export class AgentTurns {
  readonly #options: AgentTurnsOptions;
  readonly #running: RunningTurns;

  constructor(options: AgentTurnsOptions) {
    this.#options = options;
    this.#running = new RunningTurns(options.clock, options.onQuiet);
  }

  get count(): number {
    return this.#running.count;
  }

  get waiting(): number {
    return this.#running.waiting;
  }

  get quietSince(): number | undefined {
    return this.#running.quietSince;
  }

  /** One turn, over a connection that serves. */
  async run(connection: AgentConnection, request: PromptRequest): Promise<PromptResult> {
    const { settings, onInterrupted } = this.#options;
    this.#began(request.correlationId);
    try {
      return await connection.prompt({
        ...request,
        onUpdate: (update) => {
          this.#running.output();
          return request.onUpdate(update);
        },
        history: async () =>
          keptTurns(await request.history(), {
            turns: settings.agentStateMessageHistory,
            maxBytes: settings.agentStateMaxSizeMb * MEGABYTE,
          }),
      });
    } catch (error) {
      if (isCoded(error, 'agent.crashed') || isCoded(error, 'agent.unresponsive')) onInterrupted();
      throw error;
    } finally {
      this.#ended(request.correlationId);
    }
  }

  /** So many items of the agent wait for the user. */
  setWaiting(count: number): void {
    this.#running.setWaiting(count);
    if (count === 0) this.#options.signal('waits-no-more', 'Answering a prompt');
    else if (this.count > 0) this.#options.signal('waits', 'Waits for you');
  }

  /** A probe was answered in time. */
  answered(): void {
    const { signal } = this.#options;
    if (this.count === 0) signal('answered-idle', 'Ready');
    else if (this.waiting > 0) signal('answered-waiting', 'Waits for you');
    else signal('answered-busy', 'Answering a prompt');
  }

  #began(correlationId: string): void {
    const { signal, onWorking } = this.#options;
    this.#running.begin();
    signal('turn-began', 'Answering a prompt', correlationId);
    if (this.waiting > 0) signal('waits', 'Waits for you', correlationId);
    if (this.count === 1) onWorking();
  }

  #ended(correlationId: string): void {
    const { signal, unproven, onWorking } = this.#options;
    this.#running.end();
    if (this.count > 0) return;
    const why = unproven();
    if (why === undefined) signal('turns-ended', 'Ready', correlationId);
    else signal('turns-ended-unproven', why, correlationId);
    onWorking();
  }
}
