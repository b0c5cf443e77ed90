import type { RestorePreview } from '../contract/index.ts';
import { compareText } from '../storage/collation.ts';
import type { SnapshotRecord } from '../storage/storage.ts';

/** The collection that holds the sessions, one document each. */
const SESSIONS = 'sessions';

type DocumentRecord = Extract<SnapshotRecord, { kind: 'document' }>;

/**
 * What restoring the archive would do to the sessions. Both streams are in the order of `snapshot`, so they are walked
 * side by side and nothing is gathered; all of `archived` is consumed (which checks the archive), and of `current` what
 * is needed.
 */
export async function compareSessions(
  archived: AsyncIterable<SnapshotRecord[]>,
  current: AsyncIterable<SnapshotRecord[]>,
): Promise<RestorePreview['sessions']> {
  const result = { archived: 0, current: 0, added: 0, changed: 0, removed: 0 };
  const ours = sessionsOf(current);
  const nextOfOurs = async () => {
    const next = await ours.next();
    if (next.done === true) return undefined;
    result.current += 1;
    return next.value;
  };
  try {
    let our = await nextOfOurs();
    for await (const batch of archived) {
      for (const record of batch) {
        if (record.kind !== 'document' || record.collection !== SESSIONS) continue;
        result.archived += 1;
        while (our !== undefined && compareText(our.id, record.id) < 0) {
          result.removed += 1;
          our = await nextOfOurs();
        }
        if (our?.id !== record.id) result.added += 1;
        else {
          if (our.version !== record.version || our.json !== record.json) result.changed += 1;
          our = await nextOfOurs();
        }
      }
    }
    for (; our !== undefined; our = await nextOfOurs()) result.removed += 1;
    return result;
  } finally {
    await ours.return();
  }
}

async function* sessionsOf(
  records: AsyncIterable<SnapshotRecord[]>,
): AsyncGenerator<DocumentRecord, void, void> {
  for await (const batch of records) {
    for (const record of batch) {
      if (record.kind !== 'document' || compareText(record.collection, SESSIONS) > 0) return;
      if (record.collection === SESSIONS) yield record;
    }
  }
}
