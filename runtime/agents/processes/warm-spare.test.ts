import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import type { AgentProcess } from './agent-process.ts';
import type { LaunchedProcess } from './launcher.ts';
import { readLedgers } from './process-ledger.ts';
import {
  builtin,
  firstLine,
  isRunning,
  makeDataFolder,
  plainText,
  shell,
  startProcesses,
} from './processes.fixture.ts';
import { signalGroup } from './signal-group.ts';
import { spawnDirectly } from './started-process.ts';
import { SPARE_ID, WarmSpare } from './warm-spare.ts';

const INITIALIZE = `${JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: 1, clientCapabilities: {} },
})}\n`;

interface Prepared {
  clock: VirtualClock;
  spare: WarmSpare;
  starts: LaunchedProcess[];
}

/** A spare on virtual time whose processes are real ones. */
function makeSpare(program?: LaunchCommand): Prepared {
  const clock = new VirtualClock();
  const starts: LaunchedProcess[] = [];
  const spare = new WarmSpare({
    clock,
    logger: silentLogger,
    async start(command) {
      const started = await spawnDirectly(spawn, { ...command, secrets: [], ...program });
      const launched = { ...started, assign: () => undefined };
      starts.push(launched);
      return launched;
    },
  });
  onTestFinished(async () => {
    await spare.stop();
    for (const { pid } of starts) signalGroup(pid, 'SIGKILL');
  });
  return { clock, spare, starts };
}

async function prepare(made: Prepared, pattern: LaunchCommand): Promise<number> {
  made.spare.noticeLaunch(pattern);
  await made.clock.advance(200);
  await expect.poll(() => made.spare.pid, { timeout: 10_000 }).toBeDefined();
  return made.spare.pid as number;
}

async function initialize(agent: Pick<AgentProcess, 'stdin' | 'stdout'>): Promise<unknown> {
  agent.stdin.write(INITIALIZE);
  return JSON.parse(await firstLine(agent));
}

describe('a warm spare', () => {
  it('is prepared once it is calm, and not while agents are being launched', async () => {
    const made = makeSpare();
    const command = builtin('echo', makeDataFolder());
    for (let i = 0; i < 5; i++) {
      made.spare.noticeLaunch(command);
      await made.clock.advance(150);
    }
    expect(made.starts).toHaveLength(0);
    await made.clock.advance(50);
    expect(made.starts).toHaveLength(1);
    await made.clock.advance(10_000);
    expect(made.starts).toHaveLength(1);
  });

  it.each(['echo', 'chat'] as const)('becomes %s', async (program) => {
    const made = makeSpare();
    const dataDir = makeDataFolder();
    const pid = await prepare(made, builtin('echo', dataDir));
    const taken = await made.spare.take(builtin(program, dataDir));
    expect(taken?.pid).toBe(pid);
    expect(await initialize(taken as LaunchedProcess)).toMatchObject({
      id: 1,
      result: { agentInfo: { name: program } },
    });
    taken?.stdin.end();
    expect(await taken?.exited).toEqual({ code: 0, signal: null });
  });

  it('takes what the agent is launched with, whatever it was started with', async () => {
    const made = makeSpare();
    const dataDir = makeDataFolder();
    await prepare(made, builtin('echo', dataDir));
    const command = builtin('echo', dataDir);
    const told = await made.spare.take({
      ...command,
      builtin: { program: 'echo', args: ['--delay-ms', '0', '--noise'] },
    });
    const launched = told as LaunchedProcess;
    await initialize(launched);
    const send = (message: unknown) => launched.stdin.write(`${JSON.stringify(message)}\n`);
    send({ jsonrpc: '2.0', id: 2, method: 'session/new', params: { cwd: dataDir, mcpServers: [] } });
    send({
      jsonrpc: '2.0',
      id: 3,
      method: 'session/prompt',
      params: { sessionId: 'echo-1', prompt: [{ type: 'text', text: 'hello' }] },
    });
    const noise = await new Promise<string>((resolve) =>
      launched.stderr.once('data', (text: Buffer) => resolve(text.toString())),
    );
    expect(noise).toContain('echo: streaming');
  });

  it.runIf(process.platform === 'linux')('has no secret in its environment, before or after', async () => {
    const made = makeSpare();
    const dataDir = makeDataFolder();
    const env = { OPENAI_API_KEY: 'top-hidden', PROXY: 'http://user:my-hidden@proxy' };
    const pid = await prepare(made, { ...builtin('echo', dataDir, env), secrets: ['', 'my-hidden'] });
    await made.spare.take(builtin('chat', dataDir, { ANTHROPIC_API_KEY: 'also-hidden' }));
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environment).toContain('NODE_COMPILE_CACHE');
    expect(environment).not.toMatch(/hidden/);
  });

  it('that dies while it waits is replaced, and no launch is the worse for it', async () => {
    const made = makeSpare();
    const dataDir = makeDataFolder();
    const pid = await prepare(made, builtin('echo', dataDir));
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => made.spare.pid).toBeUndefined();
    expect(await made.spare.take(builtin('echo', dataDir))).toBeUndefined();
    await made.clock.advance(200);
    await expect.poll(() => made.spare.pid, { timeout: 10_000 }).toBeDefined();
  });

  it('that does not become an agent in time is ended, and the launch goes on without it', async () => {
    const made = makeSpare();
    const dataDir = makeDataFolder();
    const pid = await prepare(made, builtin('echo', dataDir));
    process.kill(pid, 'SIGSTOP');
    const taken = made.spare.take(builtin('echo', dataDir));
    await made.clock.advance(1000);
    expect(await taken).toBeUndefined();
    expect(isRunning(pid)).toBe(false);
  });

  it('that never gets ready is given up', async () => {
    const made = makeSpare(shell('exit 1'));
    made.spare.noticeLaunch(builtin('echo', makeDataFolder()));
    for (let i = 1; i <= 3; i++) {
      await expect.poll(() => made.clock.pending, { timeout: 10_000 }).toBe(1);
      await made.clock.advance(200);
      await expect.poll(() => made.starts.length).toBe(i);
    }
    await expect.poll(() => made.clock.pending, { timeout: 10_000 }).toBe(1);
    await made.clock.advance(10_000);
    expect(made.starts).toHaveLength(3);
  });

  it('ends with the stop, and none is prepared any more', async () => {
    const made = makeSpare();
    const dataDir = makeDataFolder();
    const pid = await prepare(made, builtin('echo', dataDir));
    await made.spare.stop();
    expect(isRunning(pid)).toBe(false);
    made.spare.noticeLaunch(builtin('echo', dataDir));
    await made.clock.advance(10_000);
    expect(made.starts).toHaveLength(1);
  });
});

it('is used by the launches of the agents, and ends with them', async () => {
  const dataDir = makeDataFolder();
  const processes = await startProcesses(dataDir, { keepSpare: true });
  const spares = () =>
    readLedgers(join(dataDir, 'agent-processes'))
      .flatMap(({ running }) => running)
      .filter(({ agentId }) => agentId === SPARE_ID)
      .map(({ pid }) => pid);
  const pids: number[] = [];
  // The spare stands in the ledger a moment before it is ready.
  for (let generation = 1; ; generation++) {
    const waiting = spares();
    const launched = await processes.launch({
      agentId: 'a',
      generation,
      command: builtin('echo', dataDir),
      redact: plainText,
    });
    pids.push(launched.pid);
    expect(await initialize(launched)).toMatchObject({ result: { agentInfo: { name: 'echo' } } });
    expect(await launched.end()).toMatchObject({ code: 0, signal: null });
    if (waiting.includes(launched.pid)) break;
    await expect.poll(spares, { timeout: 10_000 }).toHaveLength(1);
  }
  await expect.poll(spares, { timeout: 10_000 }).toHaveLength(1);
  pids.push(...spares());
  await processes.stop();
  expect(pids.filter(isRunning)).toEqual([]);
});
