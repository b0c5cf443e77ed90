import type { Spent } from '../../contract/index.ts';
import type { PutOperation } from '../../storage/storage.ts';

export const SPENDING_COLLECTION = 'spending';

/** Longer than any budget looks back; what a session has used in all is exact for as long. */
const KEPT_MS = 400 * 86_400_000;

/** What a session has cost so far, by the account of its agent. */
export interface SessionCost {
  amount: number;
  /** ISO 4217 */
  currency: string;
  /**
   * The agent has opened the session again since, and has told nothing since: its account may go on from here, or have
   * begun anew.
   */
  isReopened?: boolean;
}

/**
 * What one session has used in one day. Written as a whole, by the one turn that runs in the session: however often it is
 * written, and whatever becomes of the process in between, nothing is counted twice. It outlives its session, because the
 * day and the agent have used it all the same.
 */
export interface SpendingRecord {
  sessionId: string;
  agentId: string;
  /** Local time, YYYY-MM-DD. */
  day: string;
  spent: Spent;
  /** What the agent told last; what it tells next is counted from there. */
  toldCost?: SessionCost;
}

export function putSpending(record: SpendingRecord, now: number): PutOperation {
  const { sessionId, agentId, day } = record;
  return {
    kind: 'put',
    collection: SPENDING_COLLECTION,
    id: `${sessionId}.${day}`,
    value: record,
    index: { sessionId, agentId, day },
    expiresAt: now + KEPT_MS,
  };
}

export const NOTHING_SPENT: Spent = { tokens: 0, money: 0, minutes: 0, unpriced: false };

export function addSpent(a: Spent, b: Spent): Spent {
  return {
    tokens: a.tokens + b.tokens,
    money: a.money + b.money,
    minutes: a.minutes + b.minutes,
    unpriced: a.unpriced || b.unpriced,
  };
}

/** What is left of `a` without `b`, never less than nothing: an estimate may be replaced by a smaller one. */
export function withoutSpent(a: Spent, b: Spent): Spent {
  return {
    tokens: Math.max(0, a.tokens - b.tokens),
    money: Math.max(0, a.money - b.money),
    minutes: Math.max(0, a.minutes - b.minutes),
    unpriced: a.unpriced,
  };
}

/** What was used, in memory: all of today, and all of the sessions that have a running turn. */
export class Ledger {
  /** By day, then by session. */
  readonly #days = new Map<string, Map<string, SpendingRecord>>();

  put(record: SpendingRecord): void {
    let day = this.#days.get(record.day);
    if (day === undefined) {
      day = new Map();
      this.#days.set(record.day, day);
    }
    day.set(record.sessionId, record);
  }

  has(sessionId: string, day: string): boolean {
    return this.#days.get(day)?.has(sessionId) === true;
  }

  /** The oldest day first. */
  recordsOf(sessionId: string): SpendingRecord[] {
    return [...this.#days.values()]
      .flatMap((day) => day.get(sessionId) ?? [])
      .sort((a, b) => (a.day < b.day ? -1 : 1));
  }

  session(sessionId: string): Spent {
    return sum(this.recordsOf(sessionId));
  }

  day(day: string): Spent {
    return sum(this.#days.get(day)?.values() ?? []);
  }

  agent(agentId: string, day: string): Spent {
    return this.agents(day).get(agentId) ?? NOTHING_SPENT;
  }

  agents(day: string): Map<string, Spent> {
    const agents = new Map<string, Spent>();
    for (const { agentId, spent } of this.#days.get(day)?.values() ?? []) {
      agents.set(agentId, addSpent(agents.get(agentId) ?? NOTHING_SPENT, spent));
    }
    return agents;
  }

  /** Forgets what is neither of this day nor of one of these sessions. */
  prune(today: string, sessions: ReadonlySet<string>): void {
    for (const [day, records] of this.#days) {
      if (day === today) continue;
      for (const sessionId of records.keys()) if (!sessions.has(sessionId)) records.delete(sessionId);
      if (records.size === 0) this.#days.delete(day);
    }
  }

  clear(): void {
    this.#days.clear();
  }
}

function sum(records: Iterable<SpendingRecord>): Spent {
  let total = NOTHING_SPENT;
  for (const { spent } of records) total = addSpent(total, spent);
  return total;
}
