/**
 * What an agent answers, as far as we need it. It comes from outside: what is wrong in a part that we can do without is
 * taken for absent, so that one odd field does not cost the agent.
 */
import * as z from 'zod';
import { META } from './extensions.ts';

export const initializeResponse = z.object({
  protocolVersion: z.number(),
  agentInfo: z.object({ name: z.string(), version: z.string() }).nullish().catch(undefined),
  agentCapabilities: z
    .object({
      sessionCapabilities: z
        .object({ close: z.looseObject({}).nullish().catch(undefined) })
        .nullish()
        .catch(undefined),
      _meta: z
        .object({
          [META.history]: z.boolean().optional().catch(undefined),
          [META.drills]: z
            .array(z.enum(['slow', 'flood']))
            .optional()
            .catch(undefined),
        })
        .nullish()
        .catch(undefined),
    })
    .nullish()
    .catch(undefined),
});

export const newSessionResponse = z.object({ sessionId: z.string().min(1) });

const usage = z.object({ inputTokens: z.int().nonnegative(), outputTokens: z.int().nonnegative() });

export const promptResponse = z.object({
  stopReason: z.string(),
  usage: usage.nullish().catch(undefined),
  _meta: z
    .object({ [META.usage]: usage.optional().catch(undefined) })
    .nullish()
    .catch(undefined),
});
