import { oc } from '@orpc/contract';
import * as z from 'zod';
import { budgetNotice } from './budgets.ts';
import { id, idInput, page, pageQuery, timestamp } from './common.ts';
import { toolCall } from './tool-calls.ts';

/**
 * Something that waits for the user: a permission that an agent asks for, a question of an agent (ACP elicitation), or a
 * budget that is used up. Durable; answered once, from anywhere. `withdrawn`: it waits no more, because its turn ended.
 */
export const needsYouKind = z.enum(['permission', 'question', 'budget']);
export const needsYouState = z.enum(['waiting', 'answered', 'withdrawn']);

export const needsYouOption = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['allow_once', 'allow_always', 'reject_once', 'reject_always', 'raise', 'stop', 'other']),
});
export type NeedsYouOption = z.infer<typeof needsYouOption>;

/** A field of a question. */
export const questionField = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string().optional(),
  type: z.enum(['text', 'number', 'integer', 'boolean', 'choice']),
  choices: z.array(z.object({ value: z.string(), title: z.string() })).optional(),
  required: z.boolean(),
});
export type QuestionField = z.infer<typeof questionField>;

export const needsYouItem = z.object({
  id,
  kind: needsYouKind,
  state: needsYouState,
  agentId: id,
  sessionId: id,
  turnId: id,
  title: z.string(),
  detail: z.string().default(''),
  createdAt: timestamp,
  options: z.array(needsYouOption),
  toolCall: toolCall.optional().describe('permission: what it is about'),
  cwd: z
    .string()
    .optional()
    .describe('permission: the working directory of the session, the "here" of a policy'),
  fields: z.array(questionField).optional().describe('question: what is asked'),
  budget: budgetNotice.optional().describe('budget: which, and how much of it was used'),
  answer: z
    .object({
      optionId: z.string(),
      at: timestamp,
      by: z.enum(['user', 'policy']),
      policyId: id.optional(),
      raiseTo: z.number().positive().optional().describe('budget, option `raise`: the new limit'),
    })
    .optional(),
  withdrawnBecause: z.string().optional(),
});
export type NeedsYouItem = z.infer<typeof needsYouItem>;

/**
 * "Always allow (or refuse) this kind here": a permission for this kind of tool call (ACP `ToolKind`) of this agent in
 * this working directory is answered without asking.
 */
export const permissionPolicy = z.object({
  id,
  agentId: id,
  cwd: z.string(),
  toolKind: z.string(),
  decision: z.enum(['allow', 'reject']),
  createdAt: timestamp,
  uses: z.int().nonnegative().describe('how often it answered since the app started'),
});
export type PermissionPolicy = z.infer<typeof permissionPolicy>;

export const needsYouRoutes = {
  list: oc
    .route({
      method: 'GET',
      path: '/needs-you',
      tags: ['needs you'],
      summary: 'What waits for the user (the oldest first), or what did (the newest first)',
    })
    .input(
      pageQuery.extend({
        state: needsYouState.default('waiting'),
        sessionId: id.optional(),
        agentId: id.optional(),
      }),
    )
    .output(page(needsYouItem)),
  get: oc
    .route({ method: 'GET', path: '/needs-you/{id}', tags: ['needs you'], summary: 'One item' })
    .input(idInput)
    .output(needsYouItem),
  answer: oc
    .route({
      method: 'POST',
      path: '/needs-you/{id}/answer',
      tags: ['needs you'],
      summary: 'Answer an item, once',
    })
    .input(
      z.strictObject({
        id,
        optionId: z.string().min(1).max(500),
        remember: z
          .boolean()
          .default(false)
          .describe('permission: answer this kind of this agent in this folder like this from now on'),
        raiseTo: z.number().positive().optional().describe('budget, option `raise`: the new limit'),
        values: z
          .record(z.string(), z.union([z.string().max(100_000), z.number(), z.boolean()]))
          .optional()
          .describe('question: the fields'),
      }),
    )
    .output(needsYouItem),
  policies: oc
    .route({
      method: 'GET',
      path: '/needs-you/policies',
      tags: ['needs you'],
      summary: 'The permissions that are answered without asking',
    })
    .input(z.object({ agentId: id.optional() }))
    .output(z.object({ items: z.array(permissionPolicy) })),
  deletePolicy: oc
    .route({
      method: 'DELETE',
      path: '/needs-you/policies/{id}',
      tags: ['needs you'],
      successStatus: 204,
      summary: 'Ask again',
    })
    .input(idInput)
    .output(z.void()),
};
