/**
 * What an agent answers, as far as we need it. It comes from outside: what is wrong in a part that we can do without is
 * taken for absent, so that one odd field does not cost the agent.
 */
import * as z from 'zod';
import type { AgentCapabilities, Usage } from '../../contract/index.ts';
import { META } from './extensions.ts';

const flag = z.boolean().nullish().catch(undefined);
/** A capability without details: it is there when it is an object. */
const presence = z.looseObject({}).nullish().catch(undefined);
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().catch(undefined);

export const initializeResponse = z.object({
  protocolVersion: z.number(),
  agentInfo: optional(
    z.object({
      name: z.string(),
      title: z.string().optional().catch(undefined),
      version: z.string(),
    }),
  ),
  authMethods: optional(z.array(z.unknown())),
  agentCapabilities: optional(
    z.object({
      loadSession: flag,
      promptCapabilities: optional(z.object({ image: flag, audio: flag, embeddedContext: flag })),
      mcpCapabilities: optional(z.object({ http: flag, sse: flag })),
      sessionCapabilities: optional(z.object({ resume: presence, close: presence })),
      _meta: optional(
        z.object({
          [META.history]: z.boolean().optional().catch(undefined),
          [META.drills]: z
            .array(z.enum(['slow', 'flood']))
            .optional()
            .catch(undefined),
        }),
      ),
    }),
  ),
});
export type InitializeResponse = z.infer<typeof initializeResponse>;

/** The capabilities, in the words of the product. */
export function capabilitiesOf({ agentCapabilities }: InitializeResponse): AgentCapabilities {
  const { loadSession, promptCapabilities, mcpCapabilities, sessionCapabilities } = agentCapabilities ?? {};
  return {
    loadSession: loadSession ?? false,
    resumeSession: sessionCapabilities?.resume != null,
    closeSession: sessionCapabilities?.close != null,
    image: promptCapabilities?.image ?? false,
    audio: promptCapabilities?.audio ?? false,
    embeddedContext: promptCapabilities?.embeddedContext ?? false,
    mcpHttp: mcpCapabilities?.http ?? false,
    mcpSse: mcpCapabilities?.sse ?? false,
  };
}

/** What the answers that open a session have in common; what they tell of it is read by `session-telling.ts`. */
export const openedResponse = z.object({
  modes: z.unknown().optional(),
  configOptions: z.unknown().optional(),
});
export const newSessionResponse = openedResponse.extend({ sessionId: z.string().min(1) });
export type OpenedResponse = z.infer<typeof openedResponse>;

export const configOptionsResponse = z.object({ configOptions: z.unknown().optional() });

const count = z.number().nonnegative().transform(Math.round);

const toldUsage = z
  .object({
    inputTokens: count,
    outputTokens: count,
    totalTokens: optional(count),
    thoughtTokens: optional(count),
    cachedReadTokens: optional(count),
    cachedWriteTokens: optional(count),
  })
  .transform(({ inputTokens, outputTokens, totalTokens, ...beside }): Usage => {
    const cached = (beside.cachedReadTokens ?? 0) + (beside.cachedWriteTokens ?? 0);
    const thought = beside.thoughtTokens ?? 0;
    // Whether the finer numbers are part of the others, or come on top of them, agents do not agree on; the sum tells.
    const onTop = totalTokens === inputTokens + outputTokens + cached + thought;
    return {
      inputTokens: inputTokens + (onTop ? cached : 0),
      outputTokens: outputTokens + (onTop ? thought : 0),
    };
  });

const withUsage = optional(z.object({ [META.usage]: toldUsage.optional().catch(undefined) }));

export const promptResponse = z.object({
  stopReason: z.string(),
  usage: optional(toldUsage),
  _meta: withUsage,
});

/** The usage of the running turn so far, when an update tells it. */
export const usageSoFar = z
  .object({ _meta: withUsage })
  .transform(({ _meta }) => _meta?.[META.usage])
  .catch(undefined);
