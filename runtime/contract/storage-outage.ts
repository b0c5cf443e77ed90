import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, timestamp } from './common.ts';

/** Whether the storage can be reached, and what waits for it on the local disk. */
export const storageOutage = z.object({
  state: z
    .enum(['normal', 'degraded', 'draining'])
    .describe('`degraded`: it cannot be reached; `draining`: it is back and takes the journal over'),
  degradedSince: timestamp.optional(),
  problem: z.string().optional().describe('what was said when it was last tried'),
  journalCommits: z.int().nonnegative().describe('commits on the local disk that it has not taken over yet'),
  journalBytes: z.int().nonnegative(),
  oldestAt: timestamp.optional().describe('when the oldest of them was made'),
  draining: z.object({ done: z.int(), total: z.int() }).optional(),
  conflicts: z.int().nonnegative().describe('documents of which two versions wait for a choice'),
  setAside: z
    .string()
    .optional()
    .describe('at the start a damaged data file was set aside, and the data is empty: what to restore'),
});
export type StorageOutage = z.infer<typeof storageOutage>;

const side = z.object({
  version: z.int().nonnegative().describe('0: it is not there'),
  value: z.unknown().optional(),
});

/** A document that was changed here while the storage was away, and elsewhere meanwhile. */
export const storageConflict = z.object({
  id,
  collection: z.string(),
  documentId: z.string(),
  journaledAt: timestamp.describe('when it was changed here'),
  foundAt: timestamp,
  mine: side.describe('what was answered for here'),
  theirs: side.describe('what the storage holds now'),
});
export type StorageConflict = z.infer<typeof storageConflict>;

export const storageConflictRoutes = {
  list: oc
    .route({
      method: 'GET',
      path: '/storage/conflicts',
      tags: ['storage'],
      summary: 'Documents of which two versions wait for a choice, the oldest first, at most 200',
    })
    .output(z.object({ items: z.array(storageConflict) })),
  resolve: oc
    .route({
      method: 'POST',
      path: '/storage/conflicts/{id}/resolve',
      tags: ['storage'],
      summary: 'Keep one of the two versions',
      description:
        'Rejects with `storage.version_conflict` when the document is at another version than `theirVersion` by now.',
    })
    .input(
      z.object({
        id,
        keep: z.enum(['mine', 'theirs']),
        theirVersion: z.int().nonnegative().describe('the version that was chosen against, or for'),
      }),
    )
    .output(z.object({ id })),
};
