/** What the rest of the runtime sees of the agents. The supervisor behind it is `agent-supervisor.ts`. */
import type * as z from 'zod';
import type { Service } from '../base/lifecycle.ts';
import type { Agent, AgentDrill, agentRoutes, Message, Usage } from '../contract/index.ts';

export type NewAgent = z.infer<NonNullable<(typeof agentRoutes.create)['~orpc']['inputSchema']>>;

/** One thing that an agent did while it answers. */
export type AgentUpdate =
  /** Text to be appended to the message under way. */
  | { kind: 'text' | 'thought'; text: string }
  /** A tool call as it stands now, merged from all its updates. */
  | { kind: 'tool_call'; toolCall: NonNullable<Message['toolCall']> }
  /** A plan as it stands now, as readable text. */
  | { kind: 'plan'; text: string }
  /** An update that this version does not know, as it came. */
  | { kind: 'raw'; raw: unknown };

export interface PromptRequest {
  agentId: string;
  sessionId: string;
  turnId: string;
  correlationId: string;
  text: string;
  /**
   * The kept turns before this one, the oldest first: primes an agent process that does not know the session. Called only
   * when that is so.
   */
  history: () => Promise<{ role: 'user' | 'agent'; text: string }[]>;
  /** Aborting cancels the turn (ACP `session/cancel`); the prompt then resolves with the stop reason `cancelled`. */
  signal: AbortSignal;
  onUpdate: (update: AgentUpdate) => void;
}

export interface PromptResult {
  /** ACP stop reason: `end_turn`, `max_tokens`, `max_turn_requests`, `refusal`, `cancelled`. */
  stopReason: string;
  usage?: Usage;
}

export interface AgentCounts {
  total: number;
  /** `healthy`, `busy`, `needs-you` */
  healthy: number;
  /** `crashed`, `crash-loop`, `unresponsive` */
  failed: number;
  /** `stopped`, `interrupted`, `unknown` */
  disconnected: number;
  /** `restarting` */
  recovering: number;
  successfulRecoveries: number;
}

export interface Agents extends Service {
  list(): Agent[];
  /** Throws `agent.not_found`. */
  get(id: string): Agent;
  counts(): AgentCounts;
  /**
   * Saves and, with `autostart`, starts it. Rejects with `agent.name_taken`, `agent.command_not_found` or
   * `agent.command_not_executable`, and then nothing is saved.
   */
  create(input: NewAgent): Promise<Agent>;
  createDemoFleet(): Promise<Agent[]>;
  /** Ends its process first. Rejects with `agent.in_use` while it runs a turn. */
  delete(id: string): Promise<void>;
  startAgent(id: string): Promise<Agent>;
  stopAgent(id: string): Promise<Agent>;
  /** Ends the process and starts the next generation at once; closes an open breaker. */
  restartAgent(id: string): Promise<Agent>;
  /** Rejects with `agent.drill_unsupported` when the agent does not offer the drill. */
  drill(id: string, kind: AgentDrill): Promise<Agent>;
  /**
   * Waits for a process that is starting or restarting (bounded), then prompts. Rejects with `agent.stopped`,
   * `agent.not_ready`, `agent.crash_loop`, `agent.crashed` (the process ended in mid-turn), `agent.unresponsive`,
   * `agent.protocol_error`, `agent.failed`, or a `provider.*` code that the built-in chat agent told.
   */
  prompt(request: PromptRequest): Promise<PromptResult>;
  /** The session is deleted: forget what is kept of it. */
  forgetSession(sessionId: string): void;
  /** The data set is about to be switched: no agent is added or removed (`maintenance.active`) until `reload`. */
  pause(reason: string): Promise<void>;
  /** The active data set has changed: end processes whose agents are gone, start new ones, re-read the rest. */
  reload(): Promise<void>;
}
