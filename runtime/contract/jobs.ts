import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, idInput, timestamp } from './common.ts';

/** `interrupted`: the process ended while the job ran; what it had not committed was undone. */
export const jobState = z.enum(['running', 'succeeded', 'failed', 'cancelled', 'interrupted']);

/** Long work with phases, progress and cancel. */
export const job = z.object({
  id,
  kind: z.enum(['backup', 'restore', 'undo-restore', 'move']),
  title: z.string(),
  state: jobState,
  phase: z.string().describe('what it does at the moment, in words'),
  done: z.number().nonnegative(),
  total: z.number().nonnegative().optional().describe('unknown at first'),
  unit: z.enum(['records', 'bytes', 'steps']),
  etaMs: z.number().nonnegative().optional(),
  cancellable: z.boolean().describe('false from the commit point on'),
  startedAt: timestamp,
  endedAt: timestamp.optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  result: z.record(z.string(), z.unknown()).optional().describe('what it made, such as `backupId`'),
  correlationId: z.string(),
});
export type Job = z.infer<typeof job>;
export type JobKind = Job['kind'];

export const jobRoutes = {
  list: oc
    .route({ method: 'GET', path: '/jobs', tags: ['jobs'], summary: 'Jobs, the newest first, 100 at most' })
    .output(z.object({ items: z.array(job) })),
  get: oc
    .route({ method: 'GET', path: '/jobs/{id}', tags: ['jobs'], summary: 'A job' })
    .input(idInput)
    .output(job),
  cancel: oc
    .route({
      method: 'POST',
      path: '/jobs/{id}/cancel',
      tags: ['jobs'],
      successStatus: 202,
      summary: 'Cancel a job',
    })
    .input(idInput)
    .output(job),
};
