/** What agents cost the one who supervises them. */
import { setTimeout as pause } from 'node:timers/promises';
import { startMeasuredAgents } from './measured-agents.ts';
import { childrenOf, privateBytes, processorMs } from './processor-time.ts';

/** What is still being done after a start (the spare, the caches) is not counted. */
const SETTLE_MS = 3000;

/** Percent of a core that the runtime and its launcher, without the agents themselves, take in this time. */
async function supervisionPercent(ms: number, agentPids: number[] = []): Promise<number> {
  const own = () =>
    [process.pid, ...childrenOf(process.pid)]
      .filter((pid) => !agentPids.includes(pid))
      .reduce((sum, pid) => sum + processorMs(pid), 0);
  const before = own();
  const startedAt = performance.now();
  await pause(ms);
  return ((own() - before) / (performance.now() - startedAt)) * 100;
}

/** Idle built-in agents, supervised as the product does it; and what one of them has of memory for itself. */
export async function measureIdle(
  dataDir: string,
  count: number,
  ms: number,
): Promise<{ percent: number; privateBytes: number }> {
  await using measured = await startMeasuredAgents({ dataDir, keepSpare: true, backOff: 'of the product' });
  const { agents } = measured;
  for (let i = 0; i < count; i++) {
    const { id } = await agents.create({
      name: `Echo ${i}`,
      launch: { kind: 'builtin', program: 'echo', args: [] },
    });
    await measured.inState(id, 'healthy');
  }
  await pause(SETTLE_MS);
  const percent = await supervisionPercent(ms);
  const dead = agents.list().filter(({ state }) => state !== 'healthy');
  if (dead.length > 0) throw new Error(`${dead.length} agents are not healthy`);
  const memory = agents.list().map(({ pid = 0 }) => privateBytes(pid));
  return { percent, privateBytes: memory.reduce((sum, bytes) => sum + bytes, 0) / memory.length };
}

/** An agent that exits as soon as it is started; its own processor time counts, too. */
export async function measureCrashLoop(dataDir: string, ms: number): Promise<number> {
  await using measured = await startMeasuredAgents({ dataDir, keepSpare: false, backOff: 'of the product' });
  const percent = supervisionPercent(ms);
  await measured.agents.create({
    name: 'Crasher',
    launch: { kind: 'command', command: '/bin/false', args: [], env: {} },
  });
  const taken = await percent;
  const [agent] = measured.agents.list();
  if (agent === undefined || agent.exits.length === 0) throw new Error('The agent did not crash');
  return taken;
}
