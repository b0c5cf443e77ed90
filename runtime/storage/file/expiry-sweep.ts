import type { CheckedOperation } from '../checked-input.ts';
import type { CommitPlan } from './commit-plan.ts';
import { type DataIndex, isLiving } from './data-index.ts';

/** Expired documents are looked for this often, by the adapter's clock, … */
const INTERVAL_MS = 60_000;
/** … and so many removed at a time, so that nobody waits long behind it. */
const LIMIT = 500;

/** Has expired documents removed along with the commits of others. */
export class ExpirySweep {
  #last = Number.NEGATIVE_INFINITY;

  /** The removal of some documents that have expired, and that no commit of the plan touches, when it is time for it. */
  due(index: DataIndex, plan: CommitPlan, now: number): CheckedOperation[] {
    // A clock that was set back must not put the next look off for longer than an interval.
    if (Math.abs(now - this.#last) < INTERVAL_MS) return [];
    this.#last = now;
    const expired: CheckedOperation[] = [];
    for (const entry of index.expiring) {
      const { collection, id } = entry;
      if (isLiving(entry, now) || plan.touches(collection, id)) continue;
      expired.push({ kind: 'delete', collection, id, expectVersion: undefined });
      if (expired.length < LIMIT) continue;
      this.#last = Number.NEGATIVE_INFINITY;
      break;
    }
    return expired;
  }
}
