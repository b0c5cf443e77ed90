import { oc } from '@orpc/contract';
import * as z from 'zod';
import { agentLimits } from './budgets.ts';
import { id, idInput, MAX_TOLD_ID, processText, timestamp } from './common.ts';

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

/** The name of a secret that is kept on this machine (see `secrets.ts`), and of an environment variable. */
export const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/);

/** A value of the environment: as it is, or the name of a secret, which is looked up when the process is started. */
export const variableValue = z.union([processText(32_768), z.strictObject({ secret: variableName })]);
export type VariableValue = z.infer<typeof variableValue>;

const commandArguments = z.array(processText(4096)).max(64).default([]);
const variables = z
  .record(variableName, variableValue)
  .refine((entries) => Object.keys(entries).length <= 100, 'at most 100 variables');

/** How an agent is launched: one of the built-in programs, or a command line of the user's that speaks ACP on stdio. */
export const agentLaunch = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('builtin'),
    program: z.enum(['echo', 'chat']),
    args: commandArguments,
  }),
  z.strictObject({
    kind: z.literal('command'),
    command: processText(4096)
      .min(1)
      .describe('an absolute path, or a name that is looked up on the PATH of the login shell'),
    args: commandArguments,
    cwd: processText(4096).min(1).optional().describe('absolute; default: the home folder'),
    env: variables.default({}),
  }),
]);
export type AgentLaunch = z.infer<typeof agentLaunch>;

const serverName = z.string().trim().min(1).max(80);

/** An MCP server that the agent is given with every session (ACP `McpServer`). */
export const mcpServer = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('stdio'),
    name: serverName,
    command: processText(4096).min(1),
    args: commandArguments,
    env: variables.default({}),
  }),
  z.strictObject({
    type: z.enum(['http', 'sse']),
    name: serverName,
    url: z.url({ protocol: /^https?$/ }).max(4096),
    headers: z.record(z.string().min(1).max(200), variableValue).default({}),
  }),
]);
export type McpServer = z.infer<typeof mcpServer>;

/** The configuration of an agent, as it is stored. */
export const agentConfig = z.object({
  id,
  name: agentName,
  description: z.string().max(400).default(''),
  launch: agentLaunch,
  model: z.string().max(200).optional().describe('for the built-in chat agent: `provider/model`'),
  mcpServers: z.array(mcpServer).max(32).default([]),
  limits: agentLimits.default({}),
  autostart: z.boolean().default(true),
  createdAt: timestamp,
});
export type AgentConfig = z.infer<typeof agentConfig>;

export const agentExit = z.object({
  generation: z.int().positive(),
  at: timestamp,
  code: z
    .int()
    .nullable()
    .describe('null with a signal, and, with no signal either, when its end was not seen'),
  signal: z.string().nullable(),
  stderr: z.string().describe('the last lines, secrets redacted'),
  intended: z.boolean().describe('the supervisor or the user asked for it'),
  reason: z.string().default('').describe('why it ended, in words'),
  pid: z.int().positive().optional(),
  uptimeMs: z.int().nonnegative().optional().describe('how long the process lived, in milliseconds'),
});
export type AgentExit = z.infer<typeof agentExit>;

export const agentDrillKind = z.enum(['crash', 'hang', 'slow', 'flood']);

/** A rehearsed failure and what came of it. Times are milliseconds from the moment the failure was caused. */
export const agentDrillResult = z.object({
  id,
  kind: agentDrillKind,
  startedAt: timestamp,
  generation: z.int().positive().describe('the process that was made to fail'),
  state: z.enum(['running', 'recovered', 'failed']),
  detectMs: z.int().nonnegative().optional().describe('until the state of the agent said so'),
  recoverMs: z.int().nonnegative().optional().describe('until the agent was ready again'),
  interruptedTurns: z.int().nonnegative().describe('turns that the drill ended; each is marked'),
  note: z.string().default('').describe('what else there is to say, in words'),
});
export type AgentDrillResult = z.infer<typeof agentDrillResult>;

/** What the agent can do, as it said in `initialize`. */
export const agentCapabilities = z.object({
  loadSession: z.boolean(),
  resumeSession: z.boolean(),
  closeSession: z.boolean(),
  image: z.boolean(),
  audio: z.boolean(),
  embeddedContext: z.boolean(),
  mcpHttp: z.boolean(),
  mcpSse: z.boolean(),
});
export type AgentCapabilities = z.infer<typeof agentCapabilities>;

/** A way to log in to the agent. */
export const authMethod = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  type: z.enum(['agent', 'terminal']).describe('`agent`: POST …/authenticate; `terminal`: by the command'),
  command: z.string().optional().describe('the command line to be run in a terminal'),
});
export type AuthMethod = z.infer<typeof authMethod>;

export const agentInfo = z.object({ name: z.string(), title: z.string().optional(), version: z.string() });

/** What the processes of an agent (its whole group) use now. */
export const agentResources = z.object({
  at: timestamp,
  processes: z.int().nonnegative(),
  memoryBytes: z
    .int()
    .nonnegative()
    .describe('resident memory, pages that are shared counted in each process'),
  cpuPercent: z.number().nonnegative().describe('of one core, since the sample before'),
});
export type AgentResources = z.infer<typeof agentResources>;

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
  agentInfo: agentInfo.optional().describe('what it said of itself in `initialize`'),
  capabilities: agentCapabilities.optional(),
  authMethods: z.array(authMethod),
  isProbed: z
    .boolean()
    .describe('false: it answers no probes, so only its process and connection are watched'),
  quietSince: timestamp
    .optional()
    .describe('set after 5 minutes of a turn without any output: quiet is not dead'),
  failures: z.array(timestamp).describe('the failures in the window of the breaker, the oldest first'),
  breakerLimit: z.int().positive().describe('so many failures within 10 minutes open the breaker'),
  halfOpenAt: timestamp
    .optional()
    .describe('crash loop only: when one try is made by itself, which closes the breaker if it serves'),
  waitingForYou: z.int().nonnegative().describe('how many of its items wait in "Needs you"'),
  resources: agentResources.optional(),
  drills: z.array(agentDrillKind).describe('the drills that it offers'),
  drillResults: z.array(agentDrillResult).describe('the newest first, 20 at most'),
  exits: z.array(agentExit).describe('the newest first, 20 at most'),
  heartbeats: z.array(heartbeat).describe('the newest last, 60 at most'),
});
export type Agent = z.infer<typeof agent>;
export type AgentDrill = z.infer<typeof agentDrillKind>;

/** What "Test" found out. `ok`: it speaks ACP and answers; what it needs beyond that (a login) is in `authMethods`. */
export const agentTestResult = z.object({
  ok: z.boolean(),
  durationMs: z.int().nonnegative(),
  command: z.string().describe('the file that was run'),
  protocolVersion: z.int().optional(),
  agentInfo: agentInfo.optional(),
  capabilities: agentCapabilities.optional(),
  authMethods: z.array(authMethod),
  isProbed: z.boolean().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  stderr: z.string().describe('what it wrote to stderr last, secrets redacted'),
});
export type AgentTestResult = z.infer<typeof agentTestResult>;

/** A well-known ACP agent, and whether it is on this machine. */
export const detectedAgent = z.object({
  recipe: id.describe('the id of the recipe'),
  name: z.string(),
  description: z.string(),
  website: z.string(),
  source: z.string().describe('where the recipe comes from'),
  found: z.boolean(),
  launch: agentLaunch.optional().describe('ready for `create`; only when it was found'),
  install: z.string().describe('how to install it, in words or as a command'),
  login: z.string().describe('how to log in to it, in words or as a command'),
  agentId: id.optional().describe('the agent that is configured with this command already'),
});
export type DetectedAgent = z.infer<typeof detectedAgent>;

const agentDetection = z.object({
  items: z.array(detectedAgent).describe('those that were found first'),
  path: z.array(z.string()).describe('the folders that were searched'),
  pathFrom: z.enum(['login-shell', 'environment']),
});
export type AgentDetection = z.infer<typeof agentDetection>;

/** One line between us and an agent. */
export const protocolFrame = z.object({
  number: z.int().positive().describe('grows by one; never used again while the app runs'),
  at: timestamp,
  generation: z.int().positive(),
  direction: z.enum(['sent', 'received', 'noise']).describe('`noise`: a line on stdout that is no message'),
  method: z.string().optional().describe('of a request or a notification; of an answer, that of its request'),
  requestId: z.union([z.string(), z.number()]).optional(),
  isError: z.boolean(),
  bytes: z.int().nonnegative().describe('of the whole frame'),
  text: z.string().describe('at most 16 KiB of it'),
});
export type ProtocolFrame = z.infer<typeof protocolFrame>;

const agentList = z.object({ items: z.array(agent) });

/** The parts of a configuration that can be changed. */
const changeable = {
  name: agentName.optional(),
  description: z.string().max(400).optional(),
  launch: agentLaunch.optional(),
  model: z.string().max(200).optional(),
  mcpServers: z.array(mcpServer).max(32).optional(),
  limits: agentLimits.optional(),
  autostart: z.boolean().optional(),
};

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
    .input(z.strictObject({ ...changeable, name: agentName, launch: agentLaunch }))
    .output(agent),
  update: oc
    .route({
      method: 'PATCH',
      path: '/agents/{id}',
      tags: ['agents'],
      summary: 'Change the configuration of an agent; a process that runs on the old one is replaced',
    })
    .input(z.strictObject({ id, ...changeable, expectedVersion: z.int().positive().optional() }))
    .output(agent),
  test: oc
    .route({
      method: 'POST',
      path: '/agents/test',
      tags: ['agents'],
      summary: 'Start an agent, ask it to `initialize` and to answer a probe, end it; nothing is kept',
    })
    .input(z.strictObject({ launch: agentLaunch, model: changeable.model }))
    .output(agentTestResult),
  detect: oc
    .route({
      method: 'GET',
      path: '/agents/detected',
      tags: ['agents'],
      summary: 'The well-known ACP agents, and which of them are on this machine',
    })
    .output(agentDetection),
  authenticate: oc
    .route({
      method: 'POST',
      path: '/agents/{id}/authenticate',
      tags: ['agents'],
      summary: 'Log in to an agent by one of its methods (ACP `authenticate`)',
    })
    .input(z.strictObject({ id, methodId: z.string().min(1).max(MAX_TOLD_ID) }))
    .output(agent),
  retry: oc
    .route({
      method: 'POST',
      path: '/agents/{id}/retry',
      tags: ['agents'],
      summary: 'Make the next try now: without waiting out the back-off, or half-open in a crash loop',
    })
    .input(idInput)
    .output(agent),
  frames: oc
    .route({
      method: 'GET',
      path: '/agents/{id}/frames',
      tags: ['agents'],
      summary: 'The newest protocol frames, secrets redacted',
    })
    .input(
      z.object({
        id,
        after: z.coerce.number().int().nonnegative().default(0).describe('only frames with a greater number'),
      }),
    )
    .output(z.object({ items: z.array(protocolFrame).describe('the oldest first, 500 at most') })),
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
    .input(z.strictObject({ id, kind: agentDrillKind }))
    .output(agent),
};
