import type { Agents } from '../../agents/agents.ts';
import type { NeedsYouItem } from '../../contract/index.ts';

/** How an item was answered: the option, and what was filled in. */
export interface Chosen {
  optionId: string;
  values?: Record<string, string | number | boolean>;
}

export interface WaitingItem {
  readonly item: NeedsYouItem;
  /** Under which id what becomes of the item is told. */
  readonly correlationId: string;
  /** Hands the answer to the agent, or tells it that there will be none. Only the first call counts. */
  deliver(chosen: Chosen | undefined): void;
  /** Why an answer could reach nobody any more; the item is about to be withdrawn. */
  over?: string;
  /** An answer whose commit failed, and whether it was carried out is not known. */
  unsure?: { answered: NeedsYouItem; chosen: Chosen; done(): void };
}

/** The items that wait, and the part of the agents that must know. */
export class WaitingItems {
  readonly #agents: Pick<Agents, 'setWaiting'>;
  readonly #items = new Map<string, WaitingItem>();

  constructor(agents: Pick<Agents, 'setWaiting'>) {
    this.#agents = agents;
  }

  get(id: string): WaitingItem | undefined {
    return this.#items.get(id);
  }

  all(): WaitingItem[] {
    return [...this.#items.values()];
  }

  of(sessionId: string): WaitingItem[] {
    return this.all().filter(({ item }) => item.sessionId === sessionId);
  }

  /** How many of a session can still be answered. */
  countIn(sessionId: string): number {
    return this.of(sessionId).filter(({ over }) => over === undefined).length;
  }

  add(waiting: WaitingItem): void {
    this.#items.set(waiting.item.id, waiting);
    this.#tell(waiting.item.agentId);
  }

  delete(waiting: WaitingItem): void {
    if (this.#items.delete(waiting.item.id)) this.#tell(waiting.item.agentId);
  }

  /** An answer could reach nobody any more. */
  abandon(waiting: WaitingItem, because: string): void {
    waiting.over ??= because;
    waiting.deliver(undefined);
    this.#tell(waiting.item.agentId);
  }

  /** Only what holds up a turn counts: the turn of a budget has ended. */
  #tell(agentId: string): void {
    const count = this.all().filter(
      ({ item, over }) => item.agentId === agentId && item.kind !== 'budget' && over === undefined,
    ).length;
    this.#agents.setWaiting(agentId, count);
  }
}
