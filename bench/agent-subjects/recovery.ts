/** How long it takes until an agent serves: from its start, and from its death on. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readLedgers } from '../../runtime/agents/processes/process-ledger.ts';
import { readProcess } from '../../runtime/agents/processes/process-table.ts';
import { SPARE_ID } from '../../runtime/agents/processes/warm-spare.ts';
import type { Agent } from '../../runtime/contract/index.ts';
import { type MeasuredAgents, startMeasuredAgents } from './measured-agents.ts';

/** Failures within ten minutes after which the product stops restarting an agent: fewer are made in a row here. */
const KILLS_BEFORE_BREAKER = 4;
/** The spare is prepared 200 ms after the last launch, and then has to load. */
const SPARE_TIMEOUT_MS = 20_000;
const SPARE_CHECK_MS = 20;
/** One that computes nothing for so long has loaded what it needs. */
const SPARE_CALM_MS = 150;

/** An agent writes its compiled code down half a second after its start, and lives so long before it is killed first. */
const CACHE_MS = 1500;

/** Milliseconds of each round. */
export type Times = number[];

async function addEcho({ agents }: MeasuredAgents, name: string): Promise<Agent> {
  return agents.create({
    name,
    launch: { kind: 'builtin', program: 'echo', args: ['--delay-ms', '0'] },
    autostart: false,
  });
}

async function start(measured: MeasuredAgents, id: string): Promise<void> {
  const ready = measured.inState(id, 'healthy');
  await measured.agents.startAgent(id);
  await ready;
}

/** One turn, which must be answered by an agent that knows the turn before it. */
async function prompt({ agents }: MeasuredAgents, agentId: string): Promise<void> {
  let text = '';
  await agents.prompt({
    agentId,
    sessionId: 'session',
    turnId: 'turn',
    correlationId: 'bench',
    text: 'are you there',
    attachments: [],
    history: async () => [
      { role: 'user', text: 'remember this' },
      { role: 'agent', text: 'remember this' },
    ],
    signal: AbortSignal.timeout(10_000),
    onUpdate: (update) => {
      if (update.kind === 'text') text += update.text;
    },
    onUsage: () => undefined,
    onPermission: async () => undefined,
    onQuestion: async () => ({ action: 'cancel' }),
  });
  if (text !== 'are you there') throw new Error(`The agent answered ${JSON.stringify(text)}`);
}

/** From the order to start a built-in agent to its readiness: process, `initialize`, and an answered probe. */
export async function measureStarts(dataDir: string, rounds: number): Promise<Times> {
  await using measured = await startMeasuredAgents({ dataDir, keepSpare: false, backOff: 'none' });
  const { id } = await addEcho(measured, 'Echo');
  const times: Times = [];
  for (let round = 0; round <= rounds; round++) {
    const ready = measured.ready(id, measured.agents.get(id).generation + 1);
    const startedAt = performance.now();
    await measured.agents.startAgent(id);
    times.push((await ready) - startedAt);
    await measured.agents.stopAgent(id);
  }
  return times.slice(1);
}

/** From SIGKILL to the next generation that serves; each time a turn proves that the session goes on. */
export async function measureKills(dataDir: string, rounds: number, keepSpare: boolean): Promise<Times> {
  await using measured = await startMeasuredAgents({ dataDir, keepSpare, backOff: 'none' });
  const { id } = await addEcho(measured, 'Echo');
  await start(measured, id);
  await pause(CACHE_MS);
  const times: Times = [];
  for (let round = 0; round <= rounds; round++) {
    if (round > 0 && round % KILLS_BEFORE_BREAKER === 0) {
      await measured.agents.stopAgent(id);
      await start(measured, id);
    }
    await prompt(measured, id);
    if (keepSpare) await spareReady(dataDir);
    const { pid = 0, generation } = measured.agents.get(id);
    const ready = measured.ready(id, generation + 1);
    const killedAt = performance.now();
    process.kill(pid, 'SIGKILL');
    times.push((await ready) - killedAt);
    await prompt(measured, id);
  }
  return times.slice(1);
}

/** From SIGKILL for all to the readiness of the last. */
export async function measureMassKills(dataDir: string, rounds: number, count: number): Promise<Times> {
  await using measured = await startMeasuredAgents({ dataDir, keepSpare: true, backOff: 'none' });
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await addEcho(measured, `Echo ${i}`)).id);
  const times: Times = [];
  for (let round = 0; round <= rounds; round++) {
    if (round % KILLS_BEFORE_BREAKER === 0) {
      await Promise.all(ids.map((id) => measured.agents.stopAgent(id)));
      await Promise.all(ids.map((id) => start(measured, id)));
      if (round === 0) await pause(CACHE_MS);
    }
    await spareReady(dataDir);
    const ready = ids.map((id) => measured.ready(id, measured.agents.get(id).generation + 1));
    const pids = ids.map((id) => measured.agents.get(id).pid ?? 0);
    const killedAt = performance.now();
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    times.push(Math.max(...(await Promise.all(ready))) - killedAt);
  }
  return times.slice(1);
}

/** Waits until a spare waits: one that stands in the ledger, and has stopped computing. */
async function spareReady(dataDir: string): Promise<void> {
  const deadline = performance.now() + SPARE_TIMEOUT_MS;
  let calmSince = performance.now();
  let seen = '';
  for (;;) {
    const spare = readLedgers(join(dataDir, 'agent-processes'))
      .flatMap(({ running }) => running)
      .find(({ agentId }) => agentId === SPARE_ID);
    const now = spare === undefined ? '' : `${spare.pid} ${readProcess(spare.pid)?.cpuMs}`;
    if (now === '' || now !== seen) calmSince = performance.now();
    else if (performance.now() - calmSince > SPARE_CALM_MS) return;
    seen = now;
    if (performance.now() > deadline) throw new Error('No spare was prepared');
    await pause(SPARE_CHECK_MS);
  }
}
