import { oc } from '@orpc/contract';
import * as z from 'zod';
import { timestamp } from './common.ts';

/**
 * How much may be used. Tokens are those of the prompts and of the answers together; money is in US dollars, where the
 * agent tells or the price table knows; minutes are those in which turns run. What is absent is not limited.
 */
export const limit = z.strictObject({
  tokens: z.int().positive().max(1_000_000_000_000).optional(),
  money: z.number().positive().max(1_000_000).optional().describe('US dollars'),
  minutes: z.number().positive().max(1_000_000).optional(),
});
export type Limit = z.infer<typeof limit>;
export type LimitUnit = keyof Limit;

/** The limits of one agent: of each turn and of each session, and of everything that it does in one day (local time). */
export const agentLimits = z.strictObject({
  turn: limit.optional(),
  session: limit.optional(),
  day: limit.optional(),
});
export type AgentLimits = z.infer<typeof agentLimits>;

/** What a limit is of: a turn, a session, an agent in one day, or everything in one day. */
export const budgetScope = z.enum(['turn', 'session', 'agent', 'day']);
export type BudgetScope = z.infer<typeof budgetScope>;

/** The limits that hold where an agent has none of its own (`turn`, `session`, `agent`), and that of everything (`day`). */
export const budgets = z.strictObject({
  turn: limit.optional(),
  session: limit.optional(),
  agent: limit.optional(),
  day: limit.optional(),
});
export type Budgets = z.infer<typeof budgets>;

/**
 * What was used. `money` is a lower bound when `unpriced` is true: no price is known for some of the tokens, or what an agent
 * told of its cost can be understood in two ways.
 */
export const spent = z.object({
  tokens: z.int().nonnegative(),
  money: z.number().nonnegative().describe('US dollars'),
  minutes: z.number().nonnegative(),
  unpriced: z.boolean(),
});
export type Spent = z.infer<typeof spent>;

/** A budget that 80 % or more of was used. */
export const budgetNotice = z.object({
  scope: budgetScope,
  subject: z.string().describe('the turn, the session, the agent, or the day as YYYY-MM-DD'),
  unit: z.enum(['tokens', 'money', 'minutes']),
  used: z.number(),
  limit: z.number(),
});
export type BudgetNotice = z.infer<typeof budgetNotice>;

/** What a limit is raised to unless the user says otherwise: as much again, or half as much again as was used. */
export function suggestedRaise({ used, limit, unit }: BudgetNotice): number {
  const amount = Math.max(limit * 2, used * 1.5);
  return unit === 'money' ? Math.ceil(amount * 100) / 100 : Math.ceil(amount);
}

const budgetState = z.object({
  budgets,
  version: z.int().nonnegative().describe('0 while nothing was ever set'),
  day: z.string().describe('today, local time, YYYY-MM-DD'),
  today: spent,
  agents: z.array(z.object({ agentId: z.string(), today: spent })),
  raised: z
    .array(budgetNotice.extend({ until: timestamp }))
    .describe('limits that the user raised for a while, with what they are raised to'),
  notices: z.array(budgetNotice),
  prices: z.object({ asOf: z.string(), source: z.string() }).describe('the price table that is used'),
});
export type BudgetState = z.infer<typeof budgetState>;

export const budgetRoutes = {
  get: oc
    .route({
      method: 'GET',
      path: '/budgets',
      tags: ['budgets'],
      summary: 'The budgets and what was used today',
    })
    .output(budgetState),
  set: oc
    .route({ method: 'PUT', path: '/budgets', tags: ['budgets'], summary: 'Set the budgets' })
    .input(z.strictObject({ budgets, expectedVersion: z.int().nonnegative().optional() }))
    .output(budgetState),
};
