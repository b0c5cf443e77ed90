import { oc } from '@orpc/contract';
import * as z from 'zod';
import { variableName } from './agents.ts';
import { processText, timestamp } from './common.ts';

/** A secret by its name. The value goes in and never comes out again, but into the environment of an agent. */
export const secret = z.object({
  name: variableName,
  updatedAt: timestamp,
  usedBy: z.array(z.string()).describe('the ids of the agents whose configuration names it'),
});
export type Secret = z.infer<typeof secret>;

export const secretRoutes = {
  list: oc
    .route({ method: 'GET', path: '/secrets', tags: ['secrets'], summary: 'The names of the secrets' })
    .output(
      z.object({
        items: z.array(secret),
        protection: z
          .enum(['file', 'system'])
          .describe(
            '`system`: encrypted by the keychain of the desktop; `file`: a file that only you can read',
          ),
      }),
    ),
  set: oc
    .route({ method: 'PUT', path: '/secrets/{name}', tags: ['secrets'], summary: 'Keep or replace a secret' })
    .input(z.strictObject({ name: variableName, value: processText(32_768).min(1) }))
    .output(secret),
  delete: oc
    .route({
      method: 'DELETE',
      path: '/secrets/{name}',
      tags: ['secrets'],
      successStatus: 204,
      summary: 'Forget a secret',
    })
    .input(z.strictObject({ name: variableName }))
    .output(z.void()),
};
