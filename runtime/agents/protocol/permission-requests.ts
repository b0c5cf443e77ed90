/** What an agent asks before it does something (ACP `session/request_permission`), and our answer to it. */
import * as z from 'zod';
import type { NeedsYouOption } from '../../contract/index.ts';
import { boundedText } from './json-bounds.ts';

const MAX_OPTIONS = 50;
const MAX_NAME = 500;

const KINDS = ['allow_once', 'allow_always', 'reject_once', 'reject_always'] as const;

const option = z
  .object({
    optionId: z.string().min(1).max(500),
    name: z.string().catch(''),
    kind: z.enum([...KINDS, 'other']).catch('other'),
  })
  .transform(
    ({ optionId, name, kind }): NeedsYouOption => ({
      id: optionId,
      name: boundedText(name || optionId, MAX_NAME),
      kind,
    }),
  );

/** `toolCall` is an update of a tool call, read by the mapper of the turn. */
export const permissionParams = z.object({
  sessionId: z.string(),
  toolCall: z.unknown().optional(),
  options: z.array(option).min(1).max(MAX_OPTIONS),
});

export type PermissionOutcome = { outcome: 'cancelled' } | { outcome: 'selected'; optionId: string };
