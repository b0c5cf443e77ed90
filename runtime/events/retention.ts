import type { Storage } from '../storage/storage.ts';

/** Events that are kept at most, whatever their age: some 500 MB at the usual 500 bytes an event. */
const MAX_EVENTS = 1_000_000;

/**
 * Trims a log by age and count: removes what was appended before `cutoff` (milliseconds since the epoch) and what is more
 * than a million entries. Finds the place by bisection, so that the cost does not grow with what is kept.
 */
export async function trimEvents(storage: Storage, log: string, cutoff: number): Promise<void> {
  const [oldest] = await storage.read(log, { limit: 1 });
  const [newest] = await storage.read(log, { limit: 1, reverse: true });
  if (oldest === undefined || newest === undefined) return;
  let keepFrom = Math.max(oldest.sequence, newest.sequence - MAX_EVENTS + 1);
  let end = newest.sequence + 1;
  while (keepFrom < end) {
    const middle = Math.floor((keepFrom + end) / 2);
    const [entry] = await storage.read(log, { after: middle - 1, limit: 1 });
    if (entry !== undefined && entry.at < cutoff) keepFrom = entry.sequence + 1;
    else end = middle;
  }
  if (keepFrom > oldest.sequence) await storage.commit([{ kind: 'trim', log, through: keepFrom - 1 }]);
}
