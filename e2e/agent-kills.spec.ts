/** Whatever is killed, in whatever state its agents are: no process of them is left, and nothing is said to run that does not. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Agent, AgentLaunch, Session, SessionDetail, Turn } from '../runtime/contract/index.ts';
import { MARK, type MarkedProcess, markedProcesses, stillRunning } from './marked-processes.ts';
import { type Product, startHeadless } from './start-headless.ts';

const MISBEHAVING = join(import.meta.dirname, '..', 'runtime', 'agents', 'fixtures', 'misbehaving-agent.ts');
/** `KILL_ROUNDS=3` for three in a row. */
const ROUNDS = Number(process.env.KILL_ROUNDS ?? 1);
const FORTY_WORDS = Array.from({ length: 40 }, (_, i) => `word-${i}`).join(' ');

const echo: AgentLaunch = { kind: 'builtin', program: 'echo', args: [] };
const misbehaving = (...args: string[]): AgentLaunch => ({
  kind: 'command',
  command: process.execPath,
  args: [MISBEHAVING, ...args],
  env: {},
});

interface Member {
  name: string;
  launch: AgentLaunch;
  /** What it is doing when the kill comes. */
  prompt?: string;
  isStopped?: boolean;
}

const FLEET: Member[] = [
  { name: 'Idle', launch: echo },
  { name: 'In mid-turn', launch: echo, prompt: '/slow 3000' },
  { name: 'Hung in mid-turn', launch: echo, prompt: '/hang' },
  { name: 'Stopped', launch: echo, isStopped: true },
  { name: 'Stopped in mid-turn', launch: echo, prompt: '/slow 3000', isStopped: true },
  { name: 'With a grandchild', launch: misbehaving('leaves-a-grandchild') },
  { name: 'Stopped with a grandchild', launch: misbehaving('leaves-a-grandchild'), isStopped: true },
  { name: 'Ignores SIGTERM', launch: misbehaving('ignores-the-end') },
  { name: 'A foreign one in mid-turn', launch: misbehaving('repeats-slowly', '60000'), prompt: FORTY_WORDS },
  {
    name: 'With a grandchild that left its group',
    launch: {
      kind: 'command',
      command: '/bin/sh',
      args: ['-c', 'setsid sleep 600 & exec "$0" "$@"', process.execPath, MISBEHAVING, 'ignores-the-end'],
      env: {},
    },
  },
];

/** A fleet in all its states, and what ran when it was looked at. */
interface Scene {
  agents: Agent[];
  turns: { sessionId: string; turnId: string }[];
  /** Processes of agents, the spare and the launcher among them, but not the product itself. */
  processes: MarkedProcess[];
  launcher: MarkedProcess;
}

test.skip(process.platform !== 'linux', 'only Linux shows the environment of processes');
test.setTimeout(240_000);

let product: Product;
let mark: string;

test.beforeEach(async () => {
  mark = randomUUID();
  product = await startHeadless({ env: { [MARK]: mark, LOG_LEVEL: 'warn' } });
  for (const { name, launch } of FLEET) await call('POST', '/agents', { name, launch });
});

test.afterEach(async () => {
  const { status, expectedStatus } = test.info();
  await product.dispose(status === expectedStatus);
  for (const { pid } of markedProcesses(mark)) process.kill(pid, 'SIGKILL');
});

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(new URL(`/api${path}`, product.origin), {
    method,
    headers: { authorization: `Bearer ${product.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.ok, `${method} ${path} answered ${response.status}: ${text}`).toBe(true);
  return JSON.parse(text) as T;
}

const fleet = async () => {
  const { items } = await call<{ items: Agent[] }>('GET', '/agents');
  return FLEET.map(({ name }) => items.find((agent) => agent.name === name) as Agent);
};

/** Waits until each of the fleet serves, in a later generation than those told. */
async function allHealthy(before: readonly Agent[] = []): Promise<Agent[]> {
  let found: Agent[] = [];
  await expect(async () => {
    found = await fleet();
    expect(found.map(({ name, state, reason }) => `${name}: ${state} (${reason})`)).toEqual(
      FLEET.map(({ name }) => expect.stringContaining(`${name}: healthy`)),
    );
    for (const [i, { generation }] of before.entries())
      expect(found[i]?.generation).toBeGreaterThan(generation);
  }).toPass({ timeout: 45_000, intervals: [100] });
  return found;
}

async function setTheScene(): Promise<Scene> {
  const agents = await allHealthy();
  const turns: Scene['turns'] = [];
  for (const [i, { prompt }] of FLEET.entries()) {
    if (prompt === undefined) continue;
    const { id } = await call<Session>('POST', '/sessions', { agentId: agents[i]?.id });
    const turn = await call<Turn>('POST', `/sessions/${id}/prompt`, { message: prompt });
    turns.push({ sessionId: id, turnId: turn.id });
    // Its first words are there: it is in the middle of it.
    await expect(async () => {
      const { messages } = await call<SessionDetail>('GET', `/sessions/${id}`);
      expect(messages).toContainEqual(expect.objectContaining({ role: 'agent' }));
    }).toPass({ timeout: 20_000, intervals: [50] });
  }
  for (const [i, { isStopped }] of FLEET.entries()) {
    if (isStopped === true) process.kill(agents[i]?.pid as number, 'SIGSTOP');
  }
  const processes = markedProcesses(mark).filter(({ pid }) => pid !== product.pid);
  for (const { pid, name } of agents) {
    expect(
      processes.map((found) => found.pid),
      name,
    ).toContain(pid);
  }
  expect(processes.filter(({ command }) => command === 'sleep 600')).toHaveLength(3);
  const launcher = processes.find(
    ({ parent, command }) => parent === product.pid && command.includes('agent-launcher'),
  );
  expect(launcher).toBeDefined();
  return { agents, turns, processes, launcher: launcher as MarkedProcess };
}

/** Nothing is said to run that does not: every turn of before is interrupted. */
async function nothingRuns({ turns }: Scene): Promise<void> {
  const { items } = await call<{ items: Session[] }>('GET', '/sessions?limit=100');
  const told = items.filter(({ status, lastTurn }) => status === 'busy' || lastTurn?.state === 'running');
  expect(told).toEqual([]);
  for (const { sessionId, turnId } of turns) {
    const session = await call<SessionDetail>('GET', `/sessions/${sessionId}`);
    expect(session.turns.find(({ id }) => id === turnId)?.state).toBe('interrupted');
  }
}

for (const victims of ['the runtime', 'the launcher and the runtime in the same moment'] as const) {
  test(`${victims}, killed ${ROUNDS}×: the next start leaves nothing of what was`, async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const scene = await setTheScene();
      if (victims !== 'the runtime') process.kill(scene.launcher.pid, 'SIGKILL');
      await product.kill('SIGKILL');
      await product.restart();
      expect(stillRunning(scene.processes, mark), `round ${round}`).toEqual([]);
      await nothingRuns(scene);
      await allHealthy(scene.agents);
    }
  });
}

test(`the launcher, killed ${ROUNDS}×: all agents are there again, and nothing of what was`, async () => {
  for (let round = 1; round <= ROUNDS; round++) {
    const scene = await setTheScene();
    process.kill(scene.launcher.pid, 'SIGKILL');
    await allHealthy(scene.agents);
    expect(stillRunning(scene.processes, mark), `round ${round}`).toEqual([]);
    await nothingRuns(scene);
  }
});

test(`the runtime, stopped in order ${ROUNDS}×: nothing at all is left`, async () => {
  for (let round = 1; round <= ROUNDS; round++) {
    const scene = await setTheScene();
    const { code } = await product.stop();
    expect(code).toBe(0);
    expect(markedProcesses(mark), `round ${round}`).toEqual([]);
    await product.restart();
    await nothingRuns(scene);
    await allHealthy(scene.agents);
  }
});
