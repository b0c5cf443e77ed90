import { oc } from '@orpc/contract';
import * as z from 'zod';
import { job } from './jobs.ts';

/** Where data can be kept. `memory`, which keeps nothing, is for tests and cannot be chosen. */
export const storageKind = z.enum(['sqlite', 'file', 'redis', 'postgres', 'hybrid']);
export type StorageKind = z.infer<typeof storageKind>;

const address = (example: string) => z.string().trim().min(1).max(2048).describe(`such as ${example}`);
const password = z
  .string()
  .min(1)
  .max(4096)
  .optional()
  .describe('put into the address; kept in settings.json, never told again');

/**
 * A storage to go to. What is left out is taken from the settings that are in force: an address that is set already need
 * not be given again.
 */
export const storageChoice = z.strictObject({
  type: storageKind,
  redis: z
    .strictObject({
      url: address('redis://localhost:6379').optional(),
      clusterNodes: address('host:6379,other:6379').optional(),
      password,
    })
    .optional()
    .describe('for `redis` and `hybrid`'),
  postgres: z
    .strictObject({ url: address('postgres://user@localhost:5432/database').optional(), password })
    .optional()
    .describe('for `postgres` and `hybrid`'),
});
export type StorageChoice = z.infer<typeof storageChoice>;

export const storageNotice = z.object({
  code: z.string().describe('stable, such as `redis.not_durable`'),
  message: z.string(),
});

/** What holds data: the storage in force, or one that was tested. */
const held = {
  type: z.string(),
  product: z.string().describe('with its version, such as `PostgreSQL 15.9`'),
  location: z.string().describe('a folder, or an address without its secrets'),
  latencyMs: z.number().nonnegative().describe('one round trip'),
  notices: z.array(storageNotice).describe('what its user should know'),
};

/** Which storage is in force, how it is, and what can be chosen beside it. */
export const storageOverview = z.object({
  ...held,
  sharedByProcesses: z.boolean(),
  sizeBytes: z.int().nonnegative(),
  documents: z.record(z.string(), z.int().nonnegative()).describe('by collection'),
  pinned: z
    .array(z.string())
    .describe('settings of the storage that the environment gives: they cannot be changed from here'),
  known: z
    .object({ redis: z.string().optional(), postgres: z.string().optional() })
    .describe('addresses that are set already, without their secrets'),
});
export type StorageOverview = z.infer<typeof storageOverview>;

export const storageTest = z.object({
  ...held,
  empty: z
    .boolean()
    .optional()
    .describe('false when it holds data of this product already, which a move keeps as the data before'),
});
export type StorageTest = z.infer<typeof storageTest>;

/** The `result` of a job of the kind `move`. */
export const moveResult = z.object({
  from: z.object({ type: z.string(), location: z.string() }).describe('untouched, as of the move'),
  to: z.object({ type: z.string(), location: z.string() }),
  records: z.int().nonnegative().optional(),
  logicalHash: z.string().optional().describe('sha-256 over the records, found the same on both sides'),
  keptPrevious: z.boolean().describe('the target held data before, and keeps it as its previous data set'),
});
export type MoveResult = z.infer<typeof moveResult>;

export const storageRoutes = {
  get: oc
    .route({
      method: 'GET',
      path: '/storage',
      tags: ['storage'],
      summary: 'What holds the data, and how it is',
    })
    .output(storageOverview),
  test: oc
    .route({
      method: 'POST',
      path: '/storage/test',
      tags: ['storage'],
      summary: 'Try to reach another storage; nothing is made or changed there',
    })
    .input(storageChoice)
    .output(storageTest),
  move: oc
    .route({
      method: 'POST',
      path: '/storage/move',
      tags: ['storage'],
      successStatus: 202,
      summary: 'Copy all data to another storage, compare, and go over to it; the one before stays as it is',
    })
    .input(storageChoice)
    .output(job),
};
