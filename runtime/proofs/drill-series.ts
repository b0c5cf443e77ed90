/** Random drills over a fleet of five agents, through the API: each must be recovered from, and the next prompt served. */
import type { Agent, AgentDrill, AgentDrillResult, AgentLaunch } from '../contract/index.ts';
import { echoLaunch, misbehavingLaunch, type WholeRuntime } from './whole-runtime.ts';

export interface DrillSeriesOptions {
  runtime: WholeRuntime;
  /** Where the agents that can resume their sessions keep them. */
  storeFolder: string;
  count: number;
  /** From 0 up to but not including 1. */
  random: () => number;
  kinds?: readonly AgentDrill[];
  onDrill?: (done: RehearsedDrill, number: number) => void;
}

export interface RehearsedDrill {
  agent: string;
  kind: AgentDrill;
  /** A turn ran when the failure was caused. */
  inTurn: boolean;
  /** As the agent's history tells it. */
  result?: AgentDrillResult;
  /** What became of the turn that ran. */
  turn?: string;
  /** Why it counts as not recovered from; an empty list is the only good one. */
  problems: string[];
}

export const DRILL_KINDS: readonly AgentDrill[] = ['crash', 'hang', 'slow', 'flood'];
/** The longest that a drill may last is 60 s; what is later than this was never told. */
const DRILL_PATIENCE_MS = 90_000;
/** Under a drill that makes an agent slow, a turn takes this long at most. */
const TURN_PATIENCE_MS = 120_000;
/** Long enough to be under way when the failure comes. */
const LONG_PROMPT = Array.from({ length: 60 }, (_, i) => `word-${i}`).join(' ');

/** Resolves when all are done, in the order of their ends. Agents rehearse beside each other, each one drill at a time. */
export async function drillSeries(options: DrillSeriesOptions): Promise<RehearsedDrill[]> {
  const { runtime, storeFolder, count, random, kinds = DRILL_KINDS } = options;
  const launches: Record<string, AgentLaunch> = {
    'Echo 1': echoLaunch('--delay-ms', '20'),
    'Echo 2': echoLaunch('--delay-ms', '20'),
    'Stored 1': echoLaunch('--delay-ms', '20', '--store', `${storeFolder}/1`),
    'Stored 2': echoLaunch('--delay-ms', '20', '--store', `${storeFolder}/2`),
    Command: misbehavingLaunch('repeats-slowly', '20'),
  };
  const fleet: Agent[] = [];
  for (const [name, launch] of Object.entries(launches)) fleet.push(await runtime.addAgent(name, launch));
  /** Decided beforehand, so that a seed repeats the series however the agents overtake each other. */
  const planned = Array.from({ length: count }, () => ({
    agent: pick(fleet, random),
    kind: pick(kinds, random),
    inTurn: random() < 0.5,
  }));
  const done: RehearsedDrill[] = [];
  await Promise.all(
    fleet.map(async (agent) => {
      for (const plan of planned) {
        if (plan.agent !== agent) continue;
        const drilled = await drill(runtime, agent, plan.kind, plan.inTurn);
        done.push(drilled);
        options.onDrill?.(drilled, done.length);
      }
    }),
  );
  return done;
}

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T;
}

async function drill(
  runtime: WholeRuntime,
  agent: Agent,
  kind: AgentDrill,
  inTurn: boolean,
): Promise<RehearsedDrill> {
  const drilled: RehearsedDrill = { agent: agent.name, kind, inTurn, problems: [] };
  try {
    await rehearse(runtime, agent.id, drilled);
  } catch (error) {
    drilled.problems.push(String(error));
  }
  return drilled;
}

async function rehearse(runtime: WholeRuntime, agentId: string, drilled: RehearsedDrill): Promise<void> {
  const { kind, inTurn, problems } = drilled;
  await runtime.agentIs(agentId, 'healthy', ({ state }) => state === 'healthy');
  const { id: sessionId } = await runtime.newSession(agentId);
  const running = inTurn ? await runtime.prompt(sessionId, LONG_PROMPT) : undefined;
  if (running !== undefined) await runtime.agentIs(agentId, 'busy', ({ state }) => state === 'busy');
  const begun = await runtime.call<Agent>('POST', `/agents/${agentId}/drill`, { kind });
  const drillId = begun.drillResults[0]?.id;
  const over = await runtime.agentIs(
    agentId,
    'through its drill',
    ({ drillResults }) => drillResults.find(({ id }) => id === drillId)?.state !== 'running',
    DRILL_PATIENCE_MS,
  );
  const result = over.drillResults.find(({ id }) => id === drillId);
  if (result === undefined) throw new Error('The history of the agent has forgotten the drill');
  drilled.result = result;
  if (result.state !== 'recovered') problems.push(`${result.state}: ${result.note}`);

  if (running !== undefined) {
    const { turns, messages } = await runtime.ended(sessionId, running.id, TURN_PATIENCE_MS);
    drilled.turn = turns.find(({ id }) => id === running.id)?.state ?? 'lost';
    const answer = messages
      .filter(({ turnId, role }) => turnId === running.id && role === 'agent')
      .map(({ text }) => text)
      .join('');
    const lost = result.interruptedTurns > 0 ? 'interrupted' : 'completed';
    if (drilled.turn !== lost) {
      problems.push(
        `The turn is ${drilled.turn}, the drill says that it interrupted ${result.interruptedTurns}`,
      );
    }
    const isWhole = drilled.turn === 'completed' ? answer === LONG_PROMPT : LONG_PROMPT.startsWith(answer);
    if (!isWhole) problems.push(`The answer is ${JSON.stringify(answer)}`);
  }

  const text = `served after ${kind}`;
  const next = await runtime.prompt(sessionId, text);
  const { turns, messages } = await runtime.ended(sessionId, next.id, TURN_PATIENCE_MS);
  const last = turns.find(({ id }) => id === next.id);
  const answer = messages.filter(({ turnId, role }) => turnId === next.id && role === 'agent');
  // An agent that is told the conversation so far in words repeats those as well.
  const isAnswered = answer
    .map((message) => message.text)
    .join('')
    .endsWith(text);
  if (last?.state !== 'completed' || !isAnswered) {
    problems.push(`The next prompt was not served: ${JSON.stringify({ last, answer })}`);
  }
}
