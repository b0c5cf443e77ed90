/**
 * What an agent answers, as far as we need it. It comes from outside: what is wrong in a part that we can do without is
 * taken for absent, so that one odd field does not cost the agent.
 */
import * as z from 'zod';
import type { AgentCapabilities, Usage } from '../../contract/index.ts';
import { META } from './extensions.ts';

const MAX_SHORT_TEXT = 200;
/** Tokens, and money, beyond which a number is a mistake: sums of them must stay numbers that can be told. */
const MOST_TOKENS = 1e12;
export const MOST_MONEY = 1e9;

const flag = z.boolean().nullish().catch(undefined);
/** A capability without details: it is there when it is an object. */
const presence = z.looseObject({}).nullish().catch(undefined);
/** Shown with every agent in every list. */
const shortText = z.string().transform((told) => told.slice(0, MAX_SHORT_TEXT).toWellFormed());
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().catch(undefined);

export const initializeResponse = z.object({
  protocolVersion: z.int(),
  agentInfo: optional(
    z.object({
      name: shortText,
      title: shortText.optional().catch(undefined),
      version: shortText,
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

/** A number of tokens. */
export const count = z.number().nonnegative().max(MOST_TOKENS).transform(Math.round);

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

/** How Gemini CLI (seen in 0.61.0) tells what a turn has used. */
const geminiQuota = z
  .object({ token_count: z.object({ input_tokens: count, output_tokens: count }) })
  .transform(
    ({ token_count }): Usage => ({
      inputTokens: token_count.input_tokens,
      outputTokens: token_count.output_tokens,
    }),
  );

export const promptResponse = z
  .object({
    stopReason: shortText,
    usage: optional(toldUsage),
    _meta: optional(
      z.object({
        [META.usage]: toldUsage.optional().catch(undefined),
        quota: geminiQuota.optional().catch(undefined),
      }),
    ),
  })
  .transform(({ stopReason, usage, _meta }) => ({
    stopReason,
    usage: _meta?.[META.usage] ?? usage ?? _meta?.quota,
  }));

/** The usage of the running turn so far, when an update tells it. */
export const usageSoFar = z
  .object({ _meta: withUsage })
  .transform(({ _meta }) => _meta?.[META.usage])
  .catch(undefined);
