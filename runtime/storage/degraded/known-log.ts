import type { EntryState, KnownLog } from './recent-items.ts';

/** The part of a log behind which every entry is known: the greatest number that this cannot be said of. */
export function knownBehind(log: KnownLog): number {
  if (log.last === undefined) return log.emptyBehind ?? Number.POSITIVE_INFINITY;
  let behind = log.last;
  for (const { sequence, covers } of [...log.entries.values()].sort((a, b) => b.sequence - a.sequence)) {
    if (sequence < behind) break;
    behind = covers;
  }
  return behind <= log.trimmed ? 0 : behind;
}

export function entriesThrough(log: KnownLog, through: number): EntryState[] {
  return [...log.entries.values()].filter(({ sequence }) => sequence <= through);
}

/** The key in the name of a log, '' when it has none; no document has that id. */
export function keyOfLog(log: string): string {
  const at = log.indexOf('/');
  return at < 0 ? '' : log.slice(at + 1);
}
