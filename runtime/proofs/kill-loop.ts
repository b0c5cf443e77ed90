/**
 * An agent under SIGKILL: people prompt it, its process group is killed at a random moment, it recovers, and the
 * transcripts must say exactly what was acknowledged. `KILL_CYCLES` makes the suite kill more often than it usually does.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Agent, AgentLaunch, SessionDetail, Turn } from '../contract/index.ts';
import { Refused, type WholeRuntime } from './whole-runtime.ts';

export interface KillLoopOptions {
  runtime: WholeRuntime;
  /** A launch of the echo agent: what it answers is known. */
  launch: AgentLaunch;
  cycles: number;
  /** From 0 up to but not including 1. */
  random: () => number;
  onCycle?: (cycle: KillCycle) => void;
}

export interface KillCycle {
  cycle: number;
  /** Milliseconds from the first prompt of the cycle to the kill. */
  killedAfterMs: number;
  /** Milliseconds from the kill until the next process of the agent was shown as one that serves. */
  servedAgainMs: number;
}

export interface KillReport {
  cycles: KillCycle[];
  /** Prompts that were acknowledged with 202. */
  acknowledged: number;
  /** Of those, the ones that were sent again on request. */
  resent: number;
  /** Second clicks on "send again", all of them refused. */
  refusedTwice: number;
  turns: Record<Turn['state'], number>;
  /** How processes knew the sessions of the turns. */
  knownBy: Record<string, number>;
  /** What was lost, doubled, changed or left running; an empty list is the only good one. */
  problems: string[];
}

/** People who prompt at the same time, each in a session of their own. */
const PEOPLE = 4;
/** After so many cycles a person goes on in a new session; until then one session lives through all the kills. */
const CYCLES_OF_A_SESSION = 8;
/** The kill comes within this many milliseconds: an answer takes from 60 to 250. */
const KILL_WITHIN_MS = 300;
const WORDS = ['lorem', 'ipsum', 'dolor', 'sit', 'amet', 'consetetur', 'sadipscing', 'elitr', 'sed', 'diam'];

/** One session, and what was acknowledged in it. */
interface Ledger {
  sessionId: string;
  acknowledged: { turnId: string; text: string; resentFrom?: string }[];
}

/** Kills and compares; whatever is wrong is in `problems`, and ends the loop. */
export async function killLoop(options: KillLoopOptions): Promise<KillReport> {
  const { runtime, launch, random } = options;
  const report: KillReport = {
    cycles: [],
    acknowledged: 0,
    resent: 0,
    refusedTwice: 0,
    turns: { running: 0, completed: 0, cancelled: 0, interrupted: 0, failed: 0 },
    knownBy: {},
    problems: [],
  };
  const { id: agentId } = await runtime.addAgent('Victim', launch);
  await runtime.agentIs(agentId, 'healthy', ({ state }) => state === 'healthy');
  let ledgers: Ledger[] = [];

  for (let cycle = 1; cycle <= options.cycles && report.problems.length === 0; cycle++) {
    if (ledgers.length === 0) {
      for (let person = 0; person < PEOPLE; person++) {
        ledgers.push({ sessionId: (await runtime.newSession(agentId)).id, acknowledged: [] });
      }
    }
    const before = await readyToDie(options, agentId);
    const people = ledgers.map((ledger, person) => beAPerson(options, report, ledger, `${cycle}-${person}`));
    const killedAfterMs = Math.round(random() * KILL_WITHIN_MS);
    await pause(killedAfterMs);
    process.kill(-(before.pid as number), 'SIGKILL');
    const killedAt = performance.now();
    const next = await runtime.agentIs(
      agentId,
      'served by the next process',
      ({ state, generation }) => generation > before.generation && (state === 'healthy' || state === 'busy'),
    );
    const done = { cycle, killedAfterMs, servedAgainMs: Math.round(performance.now() - killedAt) };
    await Promise.all(people);
    if (next.exits[0]?.signal !== 'SIGKILL') {
      report.problems.push(`cycle ${cycle}: the newest exit is ${JSON.stringify(next.exits[0])}`);
    }
    for (const ledger of ledgers) {
      const problems = compare(await runtime.session(ledger.sessionId), ledger);
      report.problems.push(...problems.map((problem) => `cycle ${cycle}: ${problem}`));
    }
    report.cycles.push(done);
    options.onCycle?.(done);
    if (cycle % CYCLES_OF_A_SESSION === 0 || cycle === options.cycles) {
      for (const ledger of ledgers) await finish(runtime, ledger, report);
      ledgers = [];
    }
  }
  return report;
}

/**
 * The fifth kill within ten minutes would open the breaker, as it should: somebody restarts the agent in time, often
 * enough that most of the time is not spent in waiting out ever longer back-offs.
 */
async function readyToDie({ runtime, random }: KillLoopOptions, agentId: string): Promise<Agent> {
  const { failures, breakerLimit } = await runtime.agent(agentId);
  const isTime = failures.length >= breakerLimit - 1 || (failures.length >= 2 && random() < 0.7);
  if (isTime) await runtime.call('POST', `/agents/${agentId}/restart`);
  return runtime.agentIs(
    agentId,
    'healthy',
    (found) => found.state === 'healthy' && found.failures.length < breakerLimit - 1,
  );
}

/** Prompts once or twice; sends again, with two clicks, what did not come to its end. */
async function beAPerson(
  { runtime, random }: KillLoopOptions,
  report: KillReport,
  ledger: Ledger,
  name: string,
): Promise<void> {
  const { sessionId, acknowledged } = ledger;
  const take = (turn: Turn, text: string, resentFrom?: string) => {
    report.acknowledged += 1;
    acknowledged.push({ turnId: turn.id, text, ...(resentFrom === undefined ? {} : { resentFrom }) });
  };
  for (let prompt = 1; prompt <= (random() < 0.5 ? 1 : 2); prompt++) {
    const words = Array.from(
      { length: 6 + Math.floor(random() * 18) },
      () => WORDS[Math.floor(random() * WORDS.length)],
    );
    const text = `prompt ${name}-${prompt} ${words.join(' ')}`;
    const sent = await runtime.prompt(sessionId, text);
    take(sent, text);
    const ended = await runtime.ended(sessionId, sent.id);
    const state = ended.turns.find(({ id }) => id === sent.id)?.state;
    if (state === 'completed' || random() < 0.3) continue;
    // Two clicks at once: one of them sends.
    const clicks = await Promise.allSettled(
      [0, 1].map(() => runtime.call<Turn>('POST', `/sessions/${sessionId}/resend`, { turnId: sent.id })),
    );
    for (const click of clicks) {
      if (click.status === 'fulfilled') {
        report.resent += 1;
        take(click.value, text, sent.id);
        await runtime.ended(sessionId, click.value.id);
      } else if (click.reason instanceof Refused && click.reason.status === 409) report.refusedTwice += 1;
      else throw click.reason;
    }
  }
}

/** Every acknowledged prompt is there once and whole, in order, and nothing else. */
function compare(session: SessionDetail, ledger: Ledger): string[] {
  const problems: string[] = [];
  const problem = (text: string) => problems.push(`session ${session.id}: ${text}`);
  const found = session.turns.map(({ id }) => id).join();
  const sent = ledger.acknowledged.map(({ turnId }) => turnId).join();
  if (found !== sent) problem(`has the turns ${found}, acknowledged were ${sent}`);
  for (const { turnId, text, resentFrom } of ledger.acknowledged) {
    const turn = session.turns.find(({ id }) => id === turnId);
    if (turn === undefined) continue;
    const said = (role: 'user' | 'agent') =>
      session.messages.filter((message) => message.turnId === turnId && message.role === role);
    const asked = said('user').map((message) => message.text);
    const answered = said('agent')
      .map((message) => message.text)
      .join('');
    if (asked.length !== 1 || asked[0] !== text) problem(`“${text}” is there as ${JSON.stringify(asked)}`);
    if (turn.resentFrom !== resentFrom) problem(`${turnId} is said to repeat ${turn.resentFrom}`);
    if (turn.state === 'completed') {
      if (answered !== text) problem(`“${text}” was answered with “${answered}”`);
    } else if (turn.state === 'failed' && turn.error?.code === 'agent.not_ready') {
      // On a machine with other things to do the next process may take longer than a prompt waits: nothing was sent then.
      if (answered !== '') problem(`“${text}” was not sent, and answered with “${answered}”`);
    } else if (turn.state !== 'interrupted') {
      problem(`${turnId} is ${turn.state}: ${JSON.stringify(turn.error)}`);
    } else if (!text.startsWith(answered)) problem(`“${text}” was half answered with “${answered}”`);
    if (said('agent').some(({ complete }) => !complete)) problem(`${turnId} has an entry that still streams`);
  }
  return problems;
}

/** What the process of now knows of the session: each turn at most once, and at least those that were answered. */
async function finish(runtime: WholeRuntime, ledger: Ledger, report: KillReport): Promise<void> {
  const session = await runtime.session(ledger.sessionId);
  for (const { state, knownBy } of session.turns) {
    report.turns[state] += 1;
    if (knownBy !== undefined) report.knownBy[knownBy] = (report.knownBy[knownBy] ?? 0) + 1;
  }
  const { id } = await runtime.prompt(session.id, '/history');
  const asked = await runtime.ended(session.id, id);
  const answer = asked.messages.findLast(({ turnId, role }) => turnId === id && role === 'agent')?.text ?? '';
  const known = Number(/I know (\d+) earlier/.exec(answer)?.[1]);
  const answered = session.turns.filter(({ state }) => state === 'completed').length;
  if (!(known >= answered && known <= session.turns.length)) {
    report.problems.push(
      `session ${session.id}: the agent said “${answer}”, there were ${session.turns.length} turns, ${answered} answered`,
    );
  }
}
