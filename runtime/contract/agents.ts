import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, idInput, timestamp } from './common.ts';

/**
 * Every state of an agent, in the words of the console (UX.md). The runtime owns it; each change is an event
 * `agent.state.changed` with its reason.
 * - `unknown`: not known yet: starting, or not looked at since the app started
 * - `healthy`: the probe answered, idle · `busy`: a turn is running · `needs-you`: waits for the user
 * - `degraded`: slow probe or errors · `unresponsive`: alive, but the protocol is silent
 * - `restarting`: waits out its back-off · `crash-loop`: the breaker is open, no restart until asked
 * - `crashed`: the process ended with an error · `interrupted`: the app stopped in mid-work · `stopped`: by the user, or exit 0
 */
export const agentState = z.enum([
  'unknown',
  'healthy',
  'busy',
  'needs-you',
  'degraded',
  'unresponsive',
  'restarting',
  'crash-loop',
  'crashed',
  'interrupted',
  'stopped',
]);
export type AgentState = z.infer<typeof agentState>;

export const agentName = z.string().trim().min(1).max(80);

/** How an agent is launched: one of the built-in programs, or a command line of the user's that speaks ACP on stdio. */
export const agentLaunch = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('builtin'),
    program: z.enum(['echo', 'chat']),
    args: z.array(z.string().max(4096)).max(64).default([]),
  }),
  z.strictObject({
    kind: z.literal('command'),
    command: z
      .string()
      .min(1)
      .max(4096)
      .describe('an absolute path, or a name that is looked up on the PATH'),
    args: z.array(z.string().max(4096)).max(64).default([]),
    cwd: z.string().min(1).max(4096).optional(),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(32_768)).default({}),
  }),
]);
export type AgentLaunch = z.infer<typeof agentLaunch>;

/** The configuration of an agent, as it is stored. */
export const agentConfig = z.object({
  id,
  name: agentName,
  description: z.string().max(400).default(''),
  launch: agentLaunch,
  model: z.string().max(200).optional().describe('for the built-in chat agent: `provider/model`'),
  autostart: z.boolean().default(true),
  createdAt: timestamp,
});
export type AgentConfig = z.infer<typeof agentConfig>;

export const agentExit = z.object({
  generation: z.int().positive(),
  at: timestamp,
  code: z.int().nullable(),
  signal: z.string().nullable(),
  stderr: z.string().describe('the last lines, secrets redacted'),
  intended: z.boolean().describe('the supervisor or the user asked for it'),
});
export type AgentExit = z.infer<typeof agentExit>;

/** One slot of the heartbeat bar. */
export const heartbeat = z.object({
  at: timestamp,
  ok: z.boolean(),
  latencyMs: z.number().nonnegative().optional(),
});

export const agent = agentConfig.extend({
  version: z.int().positive(),
  state: agentState,
  reason: z.string().describe('why it is in this state, in words'),
  since: timestamp,
  generation: z.int().nonnegative().describe('0 before the first start'),
  pid: z.int().positive().optional(),
  startedAt: timestamp.optional(),
  runningTurns: z.int().nonnegative(),
  restarts: z.int().nonnegative().describe('recoveries since the app started'),
  attempt: z.int().nonnegative().describe('how many restarts in a row have failed so far'),
  nextRestartAt: timestamp.optional(),
  agentInfo: z
    .object({ name: z.string(), version: z.string() })
    .optional()
    .describe('what it said of itself in `initialize`'),
  drills: z.array(z.enum(['crash', 'hang', 'slow', 'flood'])).describe('the drills that it offers'),
  exits: z.array(agentExit).describe('the newest first, 20 at most'),
  heartbeats: z.array(heartbeat).describe('the newest last, 60 at most'),
});
export type Agent = z.infer<typeof agent>;
export type AgentDrill = Agent['drills'][number];

const agentList = z.object({ items: z.array(agent) });

export const agentRoutes = {
  list: oc
    .route({ method: 'GET', path: '/agents', tags: ['agents'], summary: 'All agents' })
    .output(agentList),
  get: oc
    .route({ method: 'GET', path: '/agents/{id}', tags: ['agents'], summary: 'An agent' })
    .input(idInput)
    .output(agent),
  create: oc
    .route({ method: 'POST', path: '/agents', tags: ['agents'], successStatus: 201, summary: 'Add an agent' })
    .input(
      z.strictObject({
        name: agentName,
        description: z.string().max(400).optional(),
        launch: agentLaunch,
        model: z.string().max(200).optional(),
        autostart: z.boolean().optional(),
      }),
    )
    .output(agent),
  createDemoFleet: oc
    .route({
      method: 'POST',
      path: '/agents/demo-fleet',
      tags: ['agents'],
      summary: 'Add the demo agents that are missing and start them',
    })
    .output(agentList),
  delete: oc
    .route({
      method: 'DELETE',
      path: '/agents/{id}',
      tags: ['agents'],
      successStatus: 204,
      summary: 'Remove an agent',
    })
    .input(idInput)
    .output(z.void()),
  start: oc
    .route({ method: 'POST', path: '/agents/{id}/start', tags: ['agents'], summary: 'Start an agent' })
    .input(idInput)
    .output(agent),
  stop: oc
    .route({ method: 'POST', path: '/agents/{id}/stop', tags: ['agents'], summary: 'Stop an agent' })
    .input(idInput)
    .output(agent),
  restart: oc
    .route({
      method: 'POST',
      path: '/agents/{id}/restart',
      tags: ['agents'],
      summary: 'Restart an agent, now',
    })
    .input(idInput)
    .output(agent),
  drill: oc
    .route({
      method: 'POST',
      path: '/agents/{id}/drill',
      tags: ['agents'],
      successStatus: 202,
      summary: 'Rehearse a failure',
    })
    .input(z.strictObject({ id, kind: z.enum(['crash', 'hang', 'slow', 'flood']) }))
    .output(agent),
};
