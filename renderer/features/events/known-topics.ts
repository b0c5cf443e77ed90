import type { LiveTopic } from '#contract';

const FAMILIES = [
  'session.>',
  'agent.>',
  'needs_you.>',
  'budget.>',
  'job.>',
  'backup.>',
  'runtime.>',
  'data.>',
  'storage.>',
];

/** Each topic of the product, so that the compiler tells when one is added and this list is not. */
const TOPICS: Record<LiveTopic, true> = {
  'session.created': true,
  'session.changed': true,
  'session.deleted': true,
  'session.turn.changed': true,
  'session.message.completed': true,
  'session.message.changed': true,
  'session.message.delta': true,
  'agent.created': true,
  'agent.deleted': true,
  'agent.state.changed': true,
  'agent.process.started': true,
  'agent.process.exited': true,
  'agent.recovered': true,
  'agent.changed': true,
  'agent.drill.started': true,
  'agent.drill.ended': true,
  'agent.quiet.changed': true,
  'agent.orphans.reaped': true,
  'agent.heartbeat': true,
  'needs_you.asked': true,
  'needs_you.answered': true,
  'needs_you.withdrawn': true,
  'budget.notice': true,
  'budget.exhausted': true,
  'budget.changed': true,
  'job.changed': true,
  'job.progress': true,
  'data.generation.switched': true,
  'backup.created': true,
  'backup.deleted': true,
  'storage.degraded': true,
  'storage.recovered': true,
  'storage.conflict.resolved': true,
  'runtime.started': true,
  'runtime.stopping': true,
};

/** What the topic filter suggests: whole families first. */
export const SUGGESTED_TOPICS: string[] = [...FAMILIES, ...Object.keys(TOPICS)];
