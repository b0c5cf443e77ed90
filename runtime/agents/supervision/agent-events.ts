import type { Clock } from '../../base/clock.ts';
import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import type { LiveEvents } from '../../contract/index.ts';
import type { EventDraft } from '../../events/event-bus.ts';
import type { Heartbeat } from './heartbeats.ts';

type AgentTopic =
  | 'agent.state.changed'
  | 'agent.process.started'
  | 'agent.process.exited'
  | 'agent.recovered'
  | 'agent.quiet.changed'
  | 'agent.drill.started'
  | 'agent.drill.ended';

/** What is told of one agent. What happens to one process has one correlation id, unless a prompt caused it. */
export class AgentEvents {
  readonly #agentId: string;
  readonly #options: {
    clock: Clock;
    makeId: MakeId;
    publish: (draft: EventDraft) => void;
    tell: (draft: EventDraft) => void;
  };
  #correlationId: string;

  constructor(
    agentId: string,
    options: {
      clock: Clock;
      makeId: MakeId;
      /** Makes a fact known. Must neither throw nor wait. */
      publish: (draft: EventDraft) => void;
      /** Only to those who look now. */
      tell: (draft: EventDraft) => void;
    },
  ) {
    this.#agentId = agentId;
    this.#options = options;
    this.#correlationId = this.#makeCorrelationId();
  }

  get correlationId(): string {
    return this.#correlationId;
  }

  /** The next process is about to be started. */
  begin(): void {
    this.#correlationId = this.#makeCorrelationId();
  }

  publish<T extends AgentTopic>(
    topic: T,
    data: Omit<LiveEvents[T], 'id'>,
    correlationId = this.#correlationId,
  ): void {
    const id = this.#agentId;
    this.#options.publish({ topic, subject: id, correlationId, data: { id, ...data } } as EventDraft);
  }

  beat(heartbeat: Heartbeat): void {
    const id = this.#agentId;
    this.#options.tell({
      topic: 'agent.heartbeat',
      subject: id,
      priority: 'low',
      correlationId: this.#correlationId,
      data: { id, ...heartbeat },
    });
  }

  #makeCorrelationId(): string {
    return timeOrderedId(this.#options.clock.now(), this.#options.makeId);
  }
}
