import type { LiveEvents, RuntimeEvent } from '#contract';
import { formatBytes, formatDuration } from '../../lib/format.ts';

/** UTF-16 units of a summary. */
const LENGTH = 160;

/** What an event says, in one line. An event of a topic or a shape that is not known here is shown as the start of its JSON. */
export function eventSummary(event: RuntimeEvent): string {
  try {
    const text = inWords(event);
    if (text !== undefined) return text.length > LENGTH ? `${text.slice(0, LENGTH)}…` : text;
  } catch {
    // Some other program published this topic with data of another shape.
  }
  return jsonStart(event.data, LENGTH);
}

function inWords(event: RuntimeEvent): string | undefined {
  const data = <T extends keyof LiveEvents>() => event.data as LiveEvents[T];
  switch (event.type) {
    case 'session.created':
    case 'session.changed': {
      const session = data<'session.changed'>();
      return quoted(session.title, `${session.status}, ${session.messageCount} messages`);
    }
    case 'session.turn.changed': {
      const turn = data<'session.turn.changed'>();
      const duration = turn.endedAt === undefined ? undefined : turn.endedAt - turn.startedAt;
      const took = duration === undefined ? '' : ` after ${formatDuration(duration)}`;
      return `turn ${turn.state}${took}${turn.error === undefined ? '' : `: ${turn.error.message} (${turn.error.code})`}`;
    }
    case 'session.message.completed':
    case 'session.message.changed': {
      const { message } = data<'session.message.completed'>();
      return `${message.role} ${message.kind}: ${oneLine(message.toolCall?.title ?? message.text)}`;
    }
    case 'session.message.delta': {
      const delta = data<'session.message.delta'>();
      return `at ${delta.offset}: ${oneLine(delta.text)}`;
    }
    case 'agent.created':
    case 'agent.deleted':
      return data<'agent.created'>().name.toString();
    case 'agent.state.changed': {
      const change = data<'agent.state.changed'>();
      return `${change.from} → ${change.to}: ${change.reason}`;
    }
    case 'agent.process.started': {
      const started = data<'agent.process.started'>();
      return `generation ${started.generation}, process ${started.pid}`;
    }
    case 'agent.process.exited': {
      const { exit } = data<'agent.process.exited'>();
      if (exit.code === null && exit.signal === null) return `generation ${exit.generation}, end not seen`;
      const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
      return `generation ${exit.generation}, ${how}${exit.intended ? ', as asked' : ''}`;
    }
    case 'storage.degraded':
      return oneLine(data<'storage.degraded'>().problem);
    case 'storage.recovered': {
      const { commits, conflicts, durationMs } = data<'storage.recovered'>();
      return `after ${formatDuration(durationMs)}, ${commits} commits taken over, ${conflicts} conflicts`;
    }
    case 'storage.conflict.resolved': {
      const { collection, documentId, kept } = data<'storage.conflict.resolved'>();
      return `${collection}/${documentId}: ${kept} kept`;
    }
    case 'agent.recovered': {
      const recovered = data<'agent.recovered'>();
      return `generation ${recovered.generation} after ${formatDuration(recovered.durationMs)}`;
    }
    case 'agent.heartbeat': {
      const beat = data<'agent.heartbeat'>();
      return beat.ok ? `answered in ${formatDuration(beat.latencyMs ?? 0)}` : 'no answer';
    }
    case 'job.changed':
    case 'job.progress': {
      const job = data<'job.changed'>();
      const amount = job.unit === 'bytes' ? formatBytes(job.done) : `${job.done} ${job.unit}`;
      return `${job.title}: ${job.state}, ${job.phase}, ${amount}`;
    }
    case 'runtime.started': {
      const { version, mode } = data<'runtime.started'>();
      return `version ${version}, ${mode}`;
    }
    case 'runtime.stopping':
    case 'data.generation.switched':
      return data<'runtime.stopping'>().reason.toString();
    default:
      return undefined;
  }
}

function quoted(title: string, rest: string): string {
  return `“${oneLine(title)}” ${rest}`;
}

function oneLine(text: string): string {
  return text
    .slice(0, LENGTH * 2)
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * The beginning of a value's JSON. Looks only at as much of the value as is shown: an event of 10 MB costs no more than a
 * small one.
 */
export function jsonStart(value: unknown, length: number): string {
  const parts: string[] = [];
  let left = length;
  const write = (text: string): boolean => {
    parts.push(text.slice(0, left));
    left -= text.length;
    return left > 0;
  };
  const visit = (node: unknown): boolean => {
    if (typeof node === 'string') return write(JSON.stringify(node.slice(0, left + 1)));
    if (Array.isArray(node)) {
      if (!write('[')) return false;
      for (const [index, item] of node.entries()) {
        if ((index > 0 && !write(',')) || !visit(item)) return false;
      }
      return write(']');
    }
    if (node !== null && typeof node === 'object') {
      if (!write('{')) return false;
      let first = true;
      for (const key in node) {
        if ((!first && !write(',')) || !write(`${JSON.stringify(key)}:`)) return false;
        if (!visit((node as Record<string, unknown>)[key])) return false;
        first = false;
      }
      return write('}');
    }
    return write(JSON.stringify(node) ?? 'null');
  };
  return visit(value) || left === 0 ? parts.join('') : `${parts.join('')}…`;
}
