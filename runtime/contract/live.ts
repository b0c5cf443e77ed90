/**
 * The topics of the events that the product itself publishes, and the shape of their `data`. Events broadcast facts;
 * whatever one tells can be read again from the API.
 */
import type { AgentDrillResult, AgentExit, AgentState } from './agents.ts';
import type { BudgetNotice } from './budgets.ts';
import type { Job } from './jobs.ts';
import type { NeedsYouItem } from './needs-you.ts';
import type { Message, Session, Turn } from './sessions.ts';

export interface LiveEvents {
  /** Durable. `subject`: the session. */
  'session.created': Session;
  /** Durable: renamed, archived, aged, or a turn began or ended. */
  'session.changed': Session;
  /** Durable. */
  'session.deleted': { id: string };
  /** Durable: a turn began (`running`) or ended. */
  'session.turn.changed': Turn;
  /** Durable: an entry of the transcript is complete, or was there at once (a prompt). */
  'session.message.completed': { sessionId: string; message: Message };
  /** Durable: a tool call, a plan or a raw update came or changed. */
  'session.message.changed': { sessionId: string; message: Message };
  /**
   * Only live (`sequence` 0): text was streamed. `offset` is where it goes in the text of the message, in UTF-16 units:
   * less than what is there means a repetition, more means that something was missed: read the session again.
   */
  'session.message.delta': {
    sessionId: string;
    turnId: string;
    messageId: string;
    role: Message['role'];
    kind: Message['kind'];
    offset: number;
    text: string;
  };
  /** Durable. `subject`: the agent. */
  'agent.created': { id: string; name: string };
  'agent.deleted': { id: string; name: string };
  'agent.state.changed': { id: string; from: AgentState; to: AgentState; reason: string; generation: number };
  'agent.process.started': { id: string; generation: number; pid: number };
  'agent.process.exited': { id: string; exit: AgentExit };
  'agent.recovered': { id: string; generation: number; durationMs: number };
  /** Durable: its configuration was changed. */
  'agent.changed': { id: string; name: string };
  'agent.drill.started': { id: string; drill: AgentDrillResult };
  'agent.drill.ended': { id: string; drill: AgentDrillResult };
  /** Durable: nothing came from it for 5 minutes of a turn (`since`), or something came again (absent). */
  'agent.quiet.changed': { id: string; since?: number };
  /** Durable: processes that an app that was killed had left behind were ended at the start of this one. */
  'agent.orphans.reaped': { processes: { agentId: string; generation: number; pid: number }[] };
  /** Durable. `subject`: the session. */
  'needs_you.asked': NeedsYouItem;
  'needs_you.answered': NeedsYouItem;
  'needs_you.withdrawn': NeedsYouItem;
  /** Durable: 80 % of a budget were used, or all of it. */
  'budget.notice': BudgetNotice;
  'budget.exhausted': BudgetNotice;
  'budget.changed': { version: number };
  /** Only live: a probe was answered, or was not. */
  'agent.heartbeat': { id: string; at: number; ok: boolean; latencyMs?: number };
  /** Durable when a job starts or ends; only live (`sequence` 0) for progress. */
  'job.changed': Job;
  'job.progress': Job;
  /** Durable: the active data set is another one now (restore, undo): read everything again. */
  'data.generation.switched': { generation: string; reason: string };
  'backup.created': { id: string };
  'backup.deleted': { id: string };
  /** Durable, in the journal at first: the storage cannot be reached since then. */
  'storage.degraded': { since: number; problem: string };
  /** Durable: the storage is back and has taken over the commits that were journaled meanwhile. */
  'storage.recovered': {
    since: number;
    durationMs: number;
    commits: number;
    conflicts: number;
    renumbered: number;
    refused: number;
  };
  /** Durable. `subject`: the document. */
  'storage.conflict.resolved': {
    id: string;
    collection: string;
    documentId: string;
    kept: 'mine' | 'theirs';
  };
  /** Durable: the runtime began or ended. */
  'runtime.started': { version: string; mode: 'desktop' | 'headless' };
  'runtime.stopping': { reason: string };
}

export type LiveTopic = keyof LiveEvents;
