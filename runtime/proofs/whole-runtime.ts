/** The whole runtime over real storage and real processes, used as everybody uses it: by its API. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Agent, AgentLaunch, Session, SessionDetail, Turn } from '../contract/index.ts';
import { createRuntime, readSettings } from '../index.ts';

/** The API said no. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, problem: { code?: string; detail?: string }, what: string) {
    super(`${what} answered ${status} ${problem.code ?? ''}: ${problem.detail ?? ''}`);
    this.name = 'Refused';
    this.status = status;
    this.code = problem.code ?? '';
  }
}

/** How often it is looked whether something has come to pass. */
const LOOK_EVERY_MS = 15;
const PATIENCE_MS = 30_000;

export type HttpMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface WholeRuntime extends AsyncDisposable {
  /** Every line of the log so far: warnings and errors, unless the environment says otherwise. */
  readonly log: string[];
  /** Rejects with {@link Refused}. */
  call<T>(method: HttpMethod, path: string, body?: unknown): Promise<T>;
  agent(id: string): Promise<Agent>;
  session(id: string): Promise<SessionDetail>;
  /** Adds an agent and starts it. */
  addAgent(name: string, launch: AgentLaunch): Promise<Agent>;
  /** Waits until the agent is as told; says how it is when that takes longer than 30 s. */
  agentIs(id: string, what: string, isIt: (agent: Agent) => boolean, patienceMs?: number): Promise<Agent>;
  newSession(agentId: string): Promise<Session>;
  prompt(sessionId: string, message: string): Promise<Turn>;
  /** Waits until the turn is not running any more. */
  ended(sessionId: string, turnId: string, patienceMs?: number): Promise<SessionDetail>;
}

/** A program of the agent fixtures that misbehaves in the way that is named. */
export function misbehavingLaunch(behaviour: string, ...args: string[]): AgentLaunch {
  const program = join(import.meta.dirname, '..', 'agents', 'fixtures', 'misbehaving-agent.ts');
  return { kind: 'command', command: process.execPath, args: [program, behaviour, ...args], env: {} };
}

export function echoLaunch(...args: string[]): AgentLaunch {
  return { kind: 'builtin', program: 'echo', args };
}

/** Started on an existing data folder; disposing it stops it. */
export async function startWholeRuntime(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<WholeRuntime> {
  const log: string[] = [];
  const settings = await readSettings({
    env: {
      HEALTH_PORT: '0',
      MAX_CONCURRENT_SESSIONS: '10000',
      LOG_LEVEL: 'warn',
      ...env,
      DATA_DIR: dataDir,
    },
  });
  const runtime = await createRuntime({
    settings,
    mode: 'headless',
    auth: { mode: 'trusted' },
    writeLog: (line) => log.push(line),
  });
  await runtime.start();

  async function call<T>(method: HttpMethod, path: string, body?: unknown): Promise<T> {
    const response = await runtime.fetch(
      new Request(`http://runtime/api${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      }),
    );
    const text = await response.text();
    const told = text === '' ? undefined : JSON.parse(text);
    if (!response.ok) throw new Refused(response.status, told ?? {}, `${method} ${path}`);
    return told as T;
  }

  const agent = (id: string) => call<Agent>('GET', `/agents/${id}`);
  const session = (id: string) => call<SessionDetail>('GET', `/sessions/${id}`);

  async function agentIs(
    id: string,
    what: string,
    isIt: (found: Agent) => boolean,
    patienceMs = PATIENCE_MS,
  ): Promise<Agent> {
    return until(
      () => agent(id),
      isIt,
      patienceMs,
      (found) => {
        const exits = JSON.stringify(found.exits.slice(0, 2));
        return `The agent “${found.name}” is not ${what}, but ${found.state}: ${found.reason}. Its last exits: ${exits}`;
      },
    );
  }

  return {
    log,
    call,
    agent,
    session,
    agentIs,
    addAgent: (name, launch) => call<Agent>('POST', '/agents', { name, launch, autostart: true }),
    newSession: (agentId) => call<Session>('POST', '/sessions', { agentId }),
    prompt: (sessionId, message) => call<Turn>('POST', `/sessions/${sessionId}/prompt`, { message }),
    ended: (sessionId, turnId, patienceMs = PATIENCE_MS) =>
      until(
        () => session(sessionId),
        ({ turns }) => turns.some(({ id, state }) => id === turnId && state !== 'running'),
        patienceMs,
        ({ turns }) => `The turn ${turnId} did not end: ${JSON.stringify(turns.at(-1))}`,
      ),
    [Symbol.asyncDispose]: () => runtime.stop(),
  };
}

async function until<T>(
  look: () => Promise<T>,
  isIt: (found: T) => boolean,
  patienceMs: number,
  complain: (found: T) => string,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (isIt(found)) return found;
    if (performance.now() > deadline) throw new Error(`${complain(found)} (waited ${patienceMs} ms)`);
    await pause(LOOK_EVERY_MS);
  }
}
