/**
 * Agents that misbehave, each through the whole runtime: what the console shows of it, the code that its user gets, and that
 * nobody beside it is disturbed. A bystander is prompted all the time, and must never notice anything.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Agent, AgentTestResult, NeedsYouItem, ProtocolFrame } from '../contract/index.ts';
import { echoLaunch, misbehavingLaunch, startWholeRuntime, type WholeRuntime } from './whole-runtime.ts';

let folder: string;
let runtime: WholeRuntime;
let bystander: { agent: Agent; turns: number; stop(): Promise<void> };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalltalk-misbehaving-'));
  runtime = await startWholeRuntime(join(folder, 'data'));
  bystander = await keepPrompting();
});

afterAll(async () => {
  await bystander.stop();
  const { generation, pid, exits } = await runtime.agent(bystander.agent.id);
  await runtime[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
  expect({ generation, pid, exits }).toEqual({ generation: 1, pid: bystander.agent.pid, exits: [] });
  expect(bystander.turns).toBeGreaterThan(5);
});

/** An agent of good manners, who answers one prompt after the other until it is stopped. */
async function keepPrompting(): Promise<typeof bystander> {
  const { id } = await runtime.addAgent('Bystander', echoLaunch('--delay-ms', '1'));
  const agent = await runtime.agentIs(id, 'healthy', ({ state }) => state === 'healthy');
  const session = await runtime.newSession(id);
  let isStopping = false;
  const work = async () => {
    while (!isStopping) {
      const text = `turn ${kept.turns} of somebody who is not to be disturbed`;
      expect(await answerOf(session.id, text)).toMatchObject({ state: 'completed', text });
      kept.turns += 1;
      await pause(50);
    }
  };
  const kept = { agent, turns: 0, stop: async () => undefined as undefined };
  const working = work();
  // Told by `stop`.
  working.catch(() => undefined);
  kept.stop = async () => {
    isStopping = true;
    await working;
  };
  return kept;
}

/** What became of a prompt. */
async function answerOf(sessionId: string, message: string) {
  const sent = await runtime.prompt(sessionId, message);
  const { turns, messages } = await runtime.ended(sessionId, sent.id);
  const turn = turns.find(({ id }) => id === sent.id);
  const text = messages
    .filter(({ turnId, role }) => turnId === sent.id && role === 'agent')
    .map((entry) => entry.text)
    .join('');
  return { state: turn?.state, code: turn?.error?.code, message: turn?.error?.message ?? '', text };
}

async function add(behaviour: string, ...args: string[]): Promise<Agent> {
  return runtime.addAgent([behaviour, ...args].join(' '), misbehavingLaunch(behaviour, ...args));
}

async function addHealthy(behaviour: string, ...args: string[]): Promise<Agent> {
  const { id } = await add(behaviour, ...args);
  return runtime.agentIs(id, 'healthy', ({ state }) => state === 'healthy');
}

async function prompted(agent: Agent, message: string) {
  const { id } = await runtime.newSession(agent.id);
  return answerOf(id, message);
}

const healthyAgain = ({ id, generation }: Agent) =>
  runtime.agentIs(id, 'recovered', (now) => now.state === 'healthy' && now.generation > generation);

const inCrashLoop = ({ id }: Agent) =>
  runtime.agentIs(id, 'given up', ({ state }) => state === 'crash-loop', 15_000);

/** Nothing of the kind runs any more; a process that waits for its parent to notice its end does not run. */
const isGone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

describe('a command', () => {
  const launchOf = (command: string) => ({ kind: 'command' as const, command, args: [], env: {} });

  it('that is missing is not saved, and its test says why', async () => {
    const launch = launchOf(join(folder, 'nothing-here'));
    await expect(runtime.addAgent('Missing', launch)).rejects.toMatchObject({
      status: 422,
      code: 'agent.command_not_found',
    });
    const tested = await runtime.call<AgentTestResult>('POST', '/agents/test', { launch });
    expect(tested).toMatchObject({ ok: false, error: { code: 'agent.command_not_found' } });
    const { items } = await runtime.call<{ items: Agent[] }>('GET', '/agents');
    expect(items.map(({ name }) => name)).not.toContain('Missing');
  });

  it.skipIf(process.platform === 'win32')('that cannot be executed is not saved', async () => {
    const file = join(folder, 'plain-text');
    await writeFile(file, 'Dear agent, …', { mode: 0o644 });
    await expect(runtime.addAgent('Plain', launchOf(file))).rejects.toMatchObject({
      status: 422,
      code: 'agent.command_not_executable',
    });
  });

  it.skipIf(process.platform === 'win32')(
    'that does not speak ACP ends in a crash loop that says so',
    async () => {
      const launch = launchOf('/bin/cat');
      const tested = await runtime.call<AgentTestResult>('POST', '/agents/test', { launch });
      expect(tested).toMatchObject({ ok: false, error: { code: 'agent.protocol_error' } });
      const agent = await inCrashLoop(await runtime.addAgent('Cat', launch));
      expect(agent.reason).toContain('Is it an ACP agent?');
      expect(await prompted(agent, 'meow')).toMatchObject({
        state: 'failed',
        code: 'agent.crash_loop',
        text: '',
      });
    },
  );
});

describe('in initialize', () => {
  it('another version of ACP ends in a crash loop that names it', async () => {
    const agent = await inCrashLoop(await add('speaks-version', '2'));
    expect(agent.reason).toMatch(/version 2 of ACP/);
    expect(agent.failures).toHaveLength(agent.breakerLimit);
  });

  it('an exit ends in a crash loop that lists each of them with its code', async () => {
    const agent = await inCrashLoop(await add('exits-in-initialize', '7'));
    expect(agent.exits.map(({ code }) => code)).toEqual([7, 7, 7, 7, 7]);
    expect(await prompted(agent, 'hello')).toMatchObject({ state: 'failed', code: 'agent.crash_loop' });
  });
});

describe('in a turn', () => {
  it('garbage on stdout is noise, and the answer is heard', async () => {
    const agent = await addHealthy('writes-noise');
    expect(await prompted(agent, 'through the noise')).toMatchObject({
      state: 'completed',
      text: 'through the noise',
    });
    const { items } = await runtime.call<{ items: ProtocolFrame[] }>('GET', `/agents/${agent.id}/frames`);
    expect(items.filter(({ direction }) => direction === 'noise').length).toBeGreaterThan(0);
  });

  it('answers to a wrong id answer nothing', async () => {
    const agent = await addHealthy('answers-a-wrong-id');
    expect(await prompted(agent, 'hello')).toMatchObject({ state: 'completed', text: '' });
    expect(await runtime.agent(agent.id)).toMatchObject({ generation: agent.generation, exits: [] });
  });

  it('a line of 50 MB fails the turn, costs a process and no more memory than a message may have', async () => {
    const agent = await addHealthy('sends-too-much');
    const watch = watchMemory();
    const answer = await prompted(agent, 'go');
    const grownBytes = watch.end();
    expect(answer).toMatchObject({ code: 'agent.protocol_error', text: '' });
    expect(answer.message).toContain('32 MiB');
    await healthyAgain(agent);
    expect(grownBytes).toBeLessThan(3 * 32 * 1024 * 1024);
  });

  it('a flood arrives whole, and does not pile up', async () => {
    const agent = await addHealthy('floods', '50000');
    const watch = watchMemory();
    const answer = await prompted(agent, 'go');
    const grownBytes = watch.end();
    expect(answer.state).toBe('completed');
    expect(answer.text).toBe(Array.from({ length: 50_000 }, (_, i) => `${i + 1} `).join(''));
    expect(grownBytes).toBeLessThan(128 * 1024 * 1024);
  });

  it('a permission that is asked for after the turn asks nobody', async () => {
    const agent = await addHealthy('asks-after-the-turn');
    expect(await prompted(agent, 'hello')).toMatchObject({ state: 'completed' });
    // It writes down what it was told; the frames have it as well.
    await vi.waitFor(async () => {
      const { items } = await runtime.call<{ items: ProtocolFrame[] }>('GET', `/agents/${agent.id}/frames`);
      const answers = items.filter(
        ({ direction, method }) => direction === 'sent' && method === 'session/request_permission',
      );
      expect(answers).toHaveLength(2);
      for (const { text } of answers) expect(text).toContain('cancelled');
    });
    const { items } = await runtime.call<{ items: NeedsYouItem[] }>('GET', `/needs-you?agentId=${agent.id}`);
    expect(items).toEqual([]);
    expect(await runtime.agent(agent.id)).toMatchObject({ state: 'healthy', waitingForYou: 0 });
  });

  it('a crash interrupts it, keeps what was said, and shows the last words of the process', async () => {
    const agent = await addHealthy('dies-in-mid-turn', 'unknown');
    expect(await prompted(agent, 'hello')).toMatchObject({
      state: 'interrupted',
      code: 'agent.crashed',
      text: 'last words',
    });
    const { exits } = await healthyAgain(agent);
    expect(exits[0]).toMatchObject({
      code: 3,
      intended: false,
      stderr: expect.stringContaining('the password is'),
    });
  });
});

describe.skipIf(process.platform === 'win32')('at its end', () => {
  it('a grandchild that holds the pipes of a killed agent goes with it', async () => {
    const agent = await addHealthy('leaves-a-grandchild');
    process.kill(agent.pid as number, 'SIGKILL');
    const { exits } = await healthyAgain(agent);
    const grandchild = Number(/grandchild (\d+)/.exec(exits[0]?.stderr ?? '')?.[1]);
    expect(grandchild).toBeGreaterThan(0);
    await vi.waitFor(() => expect(isGone(grandchild)).toBe(true), { timeout: 5000 });
  });

  it('one that ignores SIGTERM is stopped all the same', async () => {
    const agent = await addHealthy('ignores-the-end');
    const stopped = await runtime.call<Agent>('POST', `/agents/${agent.id}/stop`);
    expect(stopped).toMatchObject({ state: 'stopped', exits: [{ signal: 'SIGKILL', intended: true }] });
    expect(isGone(agent.pid as number)).toBe(true);
  });
});

/** How far the memory of this process, in which the runtime runs, grows at most. */
function watchMemory(): { end(): number } {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 5);
  return {
    end() {
      clearInterval(timer);
      return Math.max(most, process.memoryUsage.rss()) - before;
    },
  };
}
