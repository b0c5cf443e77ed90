import type { Agent, AgentCapabilities, AgentExit, AgentLaunch } from '#contract';
import { formatBytes, formatFigure, formatHourAndMinute, formatRelativeTime } from '../../lib/format.ts';
import { joinCommandLine } from './command-line.ts';

/** Each capability of ACP in the words of who wants to know what the agent can do. */
const CAPABILITIES: Readonly<Record<keyof AgentCapabilities, string>> = {
  resumeSession: 'Resumes sessions',
  loadSession: 'Loads sessions',
  closeSession: 'Closes sessions',
  image: 'Takes images',
  audio: 'Takes audio',
  embeddedContext: 'Takes files',
  mcpHttp: 'MCP over HTTP',
  mcpSse: 'MCP over SSE',
};

/** What the agent can do, in words; empty when it can do nothing beyond answering text. */
export function capabilityWords(capabilities: AgentCapabilities): string[] {
  return (Object.keys(CAPABILITIES) as (keyof AgentCapabilities)[])
    .filter((name) => capabilities[name])
    .map((name) => CAPABILITIES[name]);
}

/** `Echo 1.0.0`, with the title where it has one. */
export function agentInfoWords(info: NonNullable<Agent['agentInfo']>): string {
  return `${info.title ?? info.name} ${info.version}`.trim();
}

/** What is run, in one line. */
export function launchLine(launch: AgentLaunch): string {
  return joinCommandLine(
    launch.kind === 'builtin' ? [launch.program, ...launch.args] : [launch.command, ...launch.args],
  );
}

/** How a process ended, as short as it can be said. */
export function exitWords({ code, signal }: AgentExit): string {
  return signal === null ? `Exit code ${code ?? 'unknown'}` : `Signal ${signal}`;
}

export function memoryWords(agent: Agent): string {
  return agent.resources === undefined ? '–' : formatBytes(agent.resources.memoryBytes);
}

export function cpuWords(agent: Agent): string {
  return agent.resources === undefined ? '–' : `${formatFigure(agent.resources.cpuPercent)} %`;
}

/** What stands below the state: when the next try is, or that it has been quiet; undefined when there is nothing to say. */
export function stateNote(agent: Agent, now: number): string | undefined {
  if (agent.state === 'restarting' && agent.nextRestartAt !== undefined) {
    const attempt = agent.attempt === 0 ? '' : `${agent.attempt} of ${agent.breakerLimit} · `;
    return `${attempt}${whenWords(agent.nextRestartAt, now)}`;
  }
  if (agent.state === 'crash-loop' && agent.halfOpenAt !== undefined) {
    return `one try ${whenWords(agent.halfOpenAt, now)}`;
  }
  return agent.quietSince === undefined ? undefined : `quiet since ${formatHourAndMinute(agent.quietSince)}`;
}

/** `in 3 s`; `now` when the time has come, whatever the runtime still has to do for it. */
export function whenWords(at: number, now: number): string {
  return at - now < 1000 ? 'now' : formatRelativeTime(at, now);
}
