/** What the rest of the runtime sees of the agents. The supervisor behind it is `agent-supervisor.ts`. */
import type * as z from 'zod';
import type { Service } from '../base/lifecycle.ts';
import type {
  Agent,
  AgentDetection,
  AgentDrill,
  AgentTestResult,
  agentRoutes,
  Message,
  NeedsYouOption,
  ProtocolFrame,
  QuestionField,
  SessionAgent,
  ToolCall,
  Turn,
  Usage,
} from '../contract/index.ts';

export type NewAgent = z.infer<NonNullable<(typeof agentRoutes.create)['~orpc']['inputSchema']>>;
export type AgentChange = z.infer<NonNullable<(typeof agentRoutes.update)['~orpc']['inputSchema']>>;
export type AgentTest = z.infer<NonNullable<(typeof agentRoutes.test)['~orpc']['inputSchema']>>;

/** One thing that an agent did while it answers. */
export type AgentUpdate =
  /** Text to be appended to the message under way. */
  | { kind: 'text' | 'thought'; text: string }
  /** A tool call as it stands now, merged from all its updates. */
  | { kind: 'tool_call'; toolCall: ToolCall }
  /** A plan as it stands now, and the same as readable text. */
  | { kind: 'plan'; text: string; plan: NonNullable<Message['plan']> }
  /** A part of the answer that is no text: an ACP content block (image, audio, resource, resource_link). */
  | { kind: 'content'; text: string; content: unknown }
  /** An update that this version does not know, as it came. */
  | { kind: 'raw'; raw: unknown };

/** What an agent told of a session, in a turn or between the turns. What is absent has not changed. */
export type SessionTold = SessionAgent & {
  /** What the session has cost so far, by the agent's own account. */
  cost?: { amount: number; currency: string };
  /** What the agent calls the session; at most 200 characters. */
  title?: string;
};

export interface PromptAttachment {
  name: string;
  mimeType: string;
  bytes: Uint8Array;
}

/** The agent asks before it does something (ACP `session/request_permission`). */
export interface PermissionRequest {
  toolCall: ToolCall;
  options: NeedsYouOption[];
  /** The working directory of the session. */
  cwd: string;
}

/** The agent asks the user something (ACP `elicitation/create`, form). */
export interface QuestionRequest {
  message: string;
  fields: QuestionField[];
}

export type QuestionAnswer =
  | { action: 'accept'; values: Record<string, string | number | boolean> }
  | { action: 'decline' | 'cancel' };

export interface PromptRequest {
  agentId: string;
  sessionId: string;
  turnId: string;
  correlationId: string;
  text: string;
  attachments: PromptAttachment[];
  /**
   * The kept turns before this one, the oldest first: primes an agent process that does not know the session, and is what
   * a replay (`session/load`) is compared with. Called only when that is so.
   */
  history: () => Promise<{ role: 'user' | 'agent'; text: string }[]>;
  /** Aborting cancels the turn (ACP `session/cancel`); the prompt then resolves with the stop reason `cancelled`. */
  signal: AbortSignal;
  /** Nothing more is read from the agent before a promise that this returns has settled: a flood waits in the agent. */
  onUpdate: (update: AgentUpdate) => unknown;
  /**
   * The agent is about to be prompted. How the process knows the session: `kept` when it was prompted in it before, however
   * that ended. What was told of the session until now is not of this turn.
   */
  onOpened?: (knownBy: NonNullable<Turn['knownBy']>) => void;
  /** What was used by this turn so far, when the agent tells before its end. */
  onUsage: (usage: Usage) => void;
  /**
   * Resolves with the option that was chosen, or undefined when nobody will answer (ACP `cancelled`). `signal` aborts
   * when the answer can reach nobody any more: the turn was cancelled or has ended, the process is gone.
   */
  onPermission: (request: PermissionRequest, signal: AbortSignal) => Promise<string | undefined>;
  onQuestion: (request: QuestionRequest, signal: AbortSignal) => Promise<QuestionAnswer>;
}

export interface PromptResult {
  /** ACP stop reason: `end_turn`, `max_tokens`, `max_turn_requests`, `refusal`, `cancelled`. */
  stopReason: string;
  usage?: Usage;
  /** How the process knew the session. Absent when the turn was cancelled before that was settled. */
  knownBy?: Turn['knownBy'];
}

export interface AgentCounts {
  total: number;
  /** `healthy`, `busy`, `needs-you`, `degraded`: it serves */
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
  /**
   * Changes the configuration; a process that runs, or is tried, on another launch, model or MCP servers is replaced. An
   * agent that is stopped stays so. Rejects like `create`, and with `storage.version_conflict`.
   */
  update(change: AgentChange): Promise<Agent>;
  /**
   * Starts a process of this configuration, sees what it says to `initialize` and to a probe, and ends it. Resolves also
   * when that fails: `error` says why. Aborting the signal ends the process at once.
   */
  test(input: AgentTest, signal: AbortSignal): Promise<AgentTestResult>;
  /** The well-known agents, and which of them are on this machine. */
  detect(signal: AbortSignal): Promise<AgentDetection>;
  /** Rejects with `agent.auth_method_unknown`, `agent.not_ready` or `agent.failed`. */
  authenticate(id: string, methodId: string): Promise<Agent>;
  /** Resolves when its process is gone, too. Rejects with `agent.in_use` while it runs a turn. */
  delete(id: string): Promise<void>;
  /** Resolves when a process was started, or is planned to be: whether it serves shows in the state. */
  startAgent(id: string): Promise<Agent>;
  /** It stays stopped until it is started, over restarts of the app, too. */
  stopAgent(id: string): Promise<Agent>;
  /** Ends the process and starts the next generation at once; closes an open breaker. */
  restartAgent(id: string): Promise<Agent>;
  /**
   * Makes the next try now; in a crash loop a half-open one: when it fails, the breaker is open again. Nothing happens when
   * a process runs.
   */
  retryAgent(id: string): Promise<Agent>;
  /**
   * Begins a drill; what came of it shows in `drillResults` and is told by `agent.drill.ended`. Rejects with
   * `agent.drill_unsupported` when the agent does not offer it, `agent.drill_running` while another one is under way, or
   * `agent.not_ready`.
   */
  drill(id: string, kind: AgentDrill): Promise<Agent>;
  /** The newest frames with a number greater than `after`, the oldest first, 500 at most. */
  frames(id: string, after: number): ProtocolFrame[];
  /**
   * Waits for a process that is starting or restarting (bounded), then prompts. Rejects with `agent.stopped`,
   * `agent.not_ready`, `agent.crash_loop`, `agent.crashed` (the process ended in mid-turn), `agent.unresponsive`,
   * `agent.login_needed`, `agent.protocol_error`, `agent.failed`, `session.attachment_unsupported`, or a `provider.*` code
   * that the built-in chat agent told.
   */
  prompt(request: PromptRequest): Promise<PromptResult>;
  /**
   * Switches the mode, or an option, of a session that a process of the agent has open; what becomes of it is told like
   * everything else of a session. Rejects with `session.mode_unknown` when no process has it open or the agent does not
   * offer this, or with `agent.failed`.
   */
  setMode(agentId: string, sessionId: string, modeId: string): Promise<void>;
  setOption(agentId: string, sessionId: string, optionId: string, value: string | boolean): Promise<void>;
  /** Who is told what agents tell of their sessions; one listener, which must neither throw nor wait. */
  watchSessions(listener: (sessionId: string, told: SessionTold) => void): void;
  /**
   * How many items of the agent wait for the user: while a turn runs and some wait, its state is `needs-you`. Nothing
   * happens when the agent is gone.
   */
  setWaiting(agentId: string, count: number): void;
  /** The session is deleted: forget what is kept of it. */
  forgetSession(sessionId: string): void;
  /** The data set is about to be switched: no agent is added, changed or removed (`maintenance.active`) until `reload`. */
  pause(reason: string): Promise<void>;
  /** The active data set has changed: end processes whose agents are gone, start new ones, re-read the rest. */
  reload(): Promise<void>;
}
