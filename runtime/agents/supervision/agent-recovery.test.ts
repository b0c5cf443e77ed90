import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Asked, isAlive, misbehaving, startAgents, type TestAgents } from '../fixtures/start-agents.ts';

let house: TestAgents;

async function started(...options: Parameters<typeof startAgents>) {
  house = await startAgents(...options);
  return house;
}

afterEach(() => house.end());

/** A house with one misbehaving agent. */
async function withAgent(behaviour: string, argument = '', settings: Parameters<typeof startAgents>[0] = {}) {
  await started(settings, {}, 'without agents');
  const { id } = await house.agents.create({ name: behaviour, launch: misbehaving(behaviour, argument) });
  return { id, ask: (text: string): Asked => house.ask(text, { agentId: id }) };
}

describe('a crash in mid-turn', () => {
  it('rejects the turn at once, is recovered by a new generation, and is told', async () => {
    await started();
    const first = await house.inState('echo', 'healthy');
    const asked = house.ask('/crash');
    await expect(asked.result).rejects.toMatchObject({ code: 'agent.crashed', data: { code: 1 } });
    expect(asked.text()).toBe('I am about to crash, in the middle of a');
    expect(house.agents.get('echo')).toMatchObject({ state: 'restarting', runningTurns: 0, attempt: 1 });
    expect(house.agents.get('echo').nextRestartAt).toBeGreaterThan(0);
    expect(house.agents.counts()).toMatchObject({ recovering: 1, healthy: 0 });

    const again = house.ask('hello again');
    expect(await again.result).toMatchObject({ stopReason: 'end_turn' });
    const second = house.agents.get('echo');
    expect(second).toMatchObject({ state: 'healthy', generation: 2, restarts: 1, attempt: 0 });
    expect(second.pid).not.toBe(first.pid);
    expect(second.exits).toMatchObject([
      { generation: 1, code: 1, signal: null, intended: false, stderr: expect.stringContaining('/crash') },
    ]);
    expect(house.dataOf('agent.process.exited')).toEqual([{ id: 'echo', exit: second.exits[0] }]);
    expect(house.dataOf('agent.recovered')).toEqual([
      { id: 'echo', generation: 2, durationMs: expect.any(Number) },
    ]);
    expect(house.agents.counts().successfulRecoveries).toBe(1);
    const states = house.dataOf('agent.state.changed').map(({ to }) => to);
    expect(states.slice(-5)).toEqual(['busy', 'restarting', 'healthy', 'busy', 'healthy']);
  });

  it('keeps what was said last, and its secrets to itself', async () => {
    const { id, ask } = await withAgent('dies-in-mid-turn', 'hunter2-hunter2', {
      secrets: ['hunter2-hunter2'],
    });
    const asked = ask('go');
    await expect(asked.result).rejects.toMatchObject({ code: 'agent.crashed' });
    expect(asked.text()).toBe('last words');
    const [exit] = house.agents.get(id).exits;
    expect(exit).toMatchObject({ code: 3, stderr: 'the password is •••' });
    expect(JSON.stringify([house.events, house.log])).not.toMatch(/password is hunter2/);
  });

  it('primes the new process with the kept turns', async () => {
    await started({ agentStateMessageHistory: 2 });
    const history = [1, 2, 3].flatMap((n) => [
      { role: 'user' as const, text: `question ${n}` },
      { role: 'agent' as const, text: `answer ${n}` },
    ]);
    const known = async () => {
      const asked = house.ask('/history', { history: async () => history });
      await asked.result;
      return asked.text();
    };
    expect(await known()).toContain('I know 2 earlier turns');
    expect(await known()).toContain('I know 3 earlier turns');
    await house.ask('/crash').result.catch(() => undefined);
    expect(await known(), 'primed anew').toContain('I know 2 earlier turns');
    house.agents.forgetSession('session-1');
    expect(await known(), 'forgotten').toContain('I know 2 earlier turns');
  });

  it('primes an agent that takes no history by its first prompt', async () => {
    const { id } = await withAgent('repeats');
    const ask = (text: string) =>
      house.ask(text, { agentId: id, history: async () => [{ role: 'user', text: 'remember 42' }] });
    const first = ask('what was it?');
    await first.result;
    expect(first.text()).toMatch(
      /<earlier-conversation>[\s\S]*remember 42[\s\S]*<\/earlier-conversation>\n\nwhat was it\?$/,
    );
    const second = ask('and now?');
    await second.result;
    expect(second.text()).toBe('and now?');
  });
});

describe('an agent that keeps dying', () => {
  it('opens the breaker after five exits, and is closed by a restart', async () => {
    const { id, ask } = await withAgent('exits-in-initialize', '7');
    const broken = await house.inState(id, 'crash-loop');
    expect(broken).toMatchObject({ generation: 5, attempt: 5, restarts: 0 });
    expect(broken.reason).toMatch(/exit code 7.* 5 times in 10 minutes/);
    expect(broken.exits.map(({ code }) => code)).toEqual([7, 7, 7, 7, 7]);
    expect(house.agents.counts()).toMatchObject({ failed: 1 });
    await expect(ask('hello').result).rejects.toMatchObject({ code: 'agent.crash_loop' });
    const restarted = await house.agents.restartAgent(id);
    expect(restarted.generation).toBe(6);
    expect(house.dataOf('agent.recovered')).toEqual([]);
  });

  it('is stopped when it exits with 0', async () => {
    const { id, ask } = await withAgent('exits-in-initialize', '0');
    const stopped = await house.inState(id, 'stopped');
    expect(stopped).toMatchObject({ generation: 1, reason: 'It ended by itself with exit code 0' });
    await expect(ask('hello').result).rejects.toMatchObject({ code: 'agent.stopped' });
  });

  it('is crashed, and not tried again, when its command has gone', async () => {
    const { id } = await withAgent('repeats');
    await house.inState(id, 'healthy');
    const stored = await house.storage.get('agents', id);
    const value = {
      ...(stored?.value as object),
      launch: { kind: 'command', command: '/nonexistent/agent' },
    };
    await house.storage.commit([{ kind: 'put', collection: 'agents', id, value, index: { createdAt: 1 } }]);
    await house.agents.reload();
    const crashed = house.agents.get(id);
    expect(crashed).toMatchObject({ state: 'crashed', generation: 1 });
    expect(crashed.reason).toContain('/nonexistent/agent does not exist');
    expect(crashed.nextRestartAt).toBeUndefined();
    await expect(house.ask('hello', { agentId: id }).result).rejects.toMatchObject({
      code: 'agent.command_not_found',
    });
    await expect(house.agents.startAgent(id)).rejects.toMatchObject({ code: 'agent.command_not_found' });
  });

  it('says why the system refused to run it', async () => {
    await started(
      {},
      {
        spawn: () => {
          throw Object.assign(new Error('spawn E2BIG'), { code: 'E2BIG' });
        },
      },
    );
    const crashed = await house.inState('echo', 'crashed');
    expect(crashed.reason).toContain('could not be started: spawn E2BIG');
  });
});

describe('a hung agent', () => {
  const impatient = { heartbeatIntervalMs: 50, livenessProbeTimeoutMs: 200 };
  /** The whole group stands still. */
  const stopped = (pid: number | undefined) => process.kill(-(pid as number), 'SIGSTOP');

  it('is unresponsive while it is stopped, and healthy again without a restart', async () => {
    await started(impatient);
    const { pid } = await house.inState('echo', 'healthy');
    stopped(pid);
    const hung = await house.inState('echo', 'unresponsive');
    expect(hung.heartbeats.at(-1)).toMatchObject({ ok: false });
    expect(house.agents.counts()).toMatchObject({ failed: 1 });
    const asked = house.ask('are you there?');
    process.kill(-(pid as number), 'SIGCONT');
    expect(await asked.result).toMatchObject({ stopReason: 'end_turn' });
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 1, pid, restarts: 0 });
    expect(house.dataOf('agent.heartbeat').some(({ ok }) => !ok)).toBe(true);
  });

  it('is ended and replaced past the limit, and its turn rejects', async () => {
    await started({ ...impatient, agentHeartbeatTimeoutSeconds: 1 });
    const { pid } = await house.inState('echo', 'healthy');
    const asked = house.ask('/hang');
    await expect(asked.result).rejects.toMatchObject({ code: 'agent.unresponsive' });
    expect(isAlive(pid as number)).toBe(false);
    const recovered = await house.inState('echo', 'healthy');
    expect(recovered).toMatchObject({ generation: 2, restarts: 1 });
    expect(recovered.exits[0]).toMatchObject({ signal: 'SIGKILL', intended: false });
  });

  it('is replaced at once by a restart', async () => {
    await started(impatient);
    stopped((await house.inState('echo', 'healthy')).pid);
    await house.inState('echo', 'unresponsive');
    await house.agents.restartAgent('echo');
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 2 });
    expect(house.agents.get('echo').exits[0]).toMatchObject({ signal: 'SIGKILL', intended: true });
  });

  it('keeps 60 heartbeats', async () => {
    await started({ heartbeatIntervalMs: 5 });
    await vi.waitFor(() => expect(house.dataOf('agent.heartbeat').length).toBeGreaterThan(70), {
      timeout: 10_000,
    });
    expect(house.agents.get('echo').heartbeats).toHaveLength(60);
  });

  it('does not need to answer probes, but is not called healthy then', async () => {
    const { id, ask } = await withAgent('answers-no-probes', '', impatient);
    const degraded = await house.inState(id, 'degraded');
    expect(degraded.reason).toContain('answers no probes');
    expect(await ask('hello').result).toMatchObject({ stopReason: 'end_turn' });
  });
});

describe('with the settings of the product', () => {
  it('a stopped process is noticed within 10 s, and is healthy again when it goes on', async () => {
    await started({ heartbeatIntervalMs: 2000, livenessProbeTimeoutMs: 5000 });
    const { pid } = await house.inState('echo', 'healthy');
    process.kill(-(pid as number), 'SIGSTOP');
    const stoppedAt = Date.now();
    const { since } = await house.inState('echo', 'unresponsive');
    expect(since - stoppedAt).toBeLessThan(10_000);
    process.kill(-(pid as number), 'SIGCONT');
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 1, pid, exits: [] });
  });
});

describe('a loop of 20 kills', () => {
  it('loses no prompt but the one that was being answered, and leaves no process', async () => {
    await started({}, { backOff: { firstMs: 0, baseMs: 0, longestMs: 0 } });
    const pids = new Set<number>();
    for (let kill = 1; kill <= 20; kill++) {
      const { pid } = await house.inState('echo', 'healthy');
      pids.add(pid as number);
      const interrupted = house.ask('/slow 60000');
      await house.inState('echo', 'busy');
      process.kill(pid as number, 'SIGKILL');
      await expect(interrupted.result).rejects.toMatchObject({ code: 'agent.crashed' });
      const next = house.ask(`prompt ${kill}`);
      expect(await next.result).toMatchObject({ stopReason: 'end_turn' });
      expect(next.text()).toBe(`prompt ${kill}`);
      // The fifth kill in a row would open the breaker.
      if (kill % 4 === 0) await house.agents.restartAgent('echo');
    }
    expect(pids.size).toBe(20);
    expect(await house.inState('echo', 'healthy')).toMatchObject({ restarts: 20, generation: 26 });
    expect(house.dataOf('agent.recovered')).toHaveLength(20);
    for (const pid of pids) expect(isAlive(pid)).toBe(false);
  });
});

describe('a cancelled turn', () => {
  it('ends at once, and the agent goes on', async () => {
    await started();
    const asked = house.ask('/slow 60000');
    await house.inState('echo', 'busy');
    asked.cancel();
    expect(await asked.result).toMatchObject({ stopReason: 'cancelled' });
    expect(await house.ask('next').result).toMatchObject({ stopReason: 'end_turn' });
  });

  it('ends before it began when it was cancelled before', async () => {
    await started();
    await house.agents.stopAgent('echo');
    const starting = house.agents.startAgent('echo');
    await starting;
    const asked = house.ask('never');
    asked.cancel();
    expect(await asked.result).toMatchObject({ stopReason: 'cancelled' });
    expect(asked.updates).toEqual([]);
  });
});

describe('what an agent says', () => {
  it('is heard through garbage on stdout and stderr', async () => {
    await started();
    const asked = house.ask('/noisy');
    expect(await asked.result).toMatchObject({ stopReason: 'end_turn' });
    expect(asked.text()).toBe('I made some noise; did you hear me?');
    expect(house.agents.get('echo')).toMatchObject({ generation: 1 });
    expect(house.log).toContainEqual({
      level: 'debug',
      message: 'Noise on the stdout of an agent',
      metadata: { line: expect.stringContaining('npm warn') },
    });
  });

  it('is heard when it greets before it speaks', async () => {
    const { ask } = await withAgent('writes-noise');
    const asked = ask('hello');
    await asked.result;
    expect(asked.text()).toBe('hello');
  });

  it('is heard whole in a flood', async () => {
    await started();
    const asked = house.ask('/flood 5000');
    await asked.result;
    expect(asked.updates).toHaveLength(5000);
    expect(asked.text()).toBe(Array.from({ length: 5000 }, (_, i) => i + 1).join(' '));
  });

  it('is kept raw when it is of an unknown kind, between what is known', async () => {
    const { ask } = await withAgent('tells-unknown-updates');
    const asked = ask('go');
    expect(await asked.result).toMatchObject({
      stopReason: 'end_turn',
      usage: { inputTokens: 3, outputTokens: 4 },
    });
    expect(asked.updates).toEqual([
      { kind: 'text', text: 'before' },
      { kind: 'raw', raw: { sessionUpdate: 'hologram', depth: 3 } },
      { kind: 'text', text: 'after' },
    ]);
  });

  it('may be a tool call, a thought, a plan', async () => {
    await started();
    const told = async (command: string) => {
      const asked = house.ask(command);
      await asked.result;
      return asked.updates;
    };
    const calls = (await told('/tool')).flatMap((update) =>
      update.kind === 'tool_call' ? update.toolCall : [],
    );
    expect(calls.map(({ status }) => status)).toEqual([
      'pending',
      'in_progress',
      'in_progress',
      'in_progress',
      'in_progress',
      'completed',
    ]);
    expect(calls.at(-1)).toMatchObject({
      title: 'Count to three',
      kind: 'execute',
      content: 'one\ntwo\nthree',
    });
    expect(await told('/think')).toContainEqual({ kind: 'thought', text: 'Therefore I am.' });
    expect(await told('/plan')).toContainEqual({
      kind: 'plan',
      text: '[x] Look at it\n[x] Think about it\n[~] Do it',
      plan: expect.arrayContaining([{ content: 'Do it', priority: 'medium', status: 'in_progress' }]),
    });
    const help = house.ask('/help');
    await help.result;
    for (const name of ['crash', 'hang', 'slow', 'flood', 'noisy', 'tool', 'think', 'plan', 'history']) {
      expect(help.text()).toContain(`/${name}`);
    }
  });

  it.each([
    ['answers-nonsense', '', 'agent.protocol_error'],
    ['fails-prompts', 'sekret-value', 'agent.failed'],
  ])('is named when it goes wrong: %s', async (behaviour, argument, code) => {
    const { id, ask } = await withAgent(behaviour, argument, { secrets: ['sekret-value'] });
    const error = await ask('go').result.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('sekret');
    expect(house.agents.get(id)).toMatchObject({ state: 'healthy', generation: 1 });
  });

  it('ends the process when it is more than can be taken', async () => {
    const { id, ask } = await withAgent('sends-too-much');
    await expect(ask('go').result).rejects.toMatchObject({ code: 'agent.protocol_error' });
    await vi.waitFor(() => expect(house.agents.get(id)).toMatchObject({ state: 'healthy', generation: 2 }), {
      timeout: 5000,
    });
    expect(house.agents.get(id).exits[0]).toMatchObject({ intended: false });
  });

  it('is no when it asks for a permission that nobody gave', async () => {
    const { ask } = await withAgent('asks-permission');
    const asked = ask('delete everything');
    await asked.result;
    expect(JSON.parse(asked.text())).toEqual({ outcome: { outcome: 'selected', optionId: 'no' } });
  });

  it('is refused when it is another version of the protocol', async () => {
    const { id } = await withAgent('speaks-version', '2');
    const agent = await house.inState(id, 'restarting', 'crash-loop');
    expect(agent.reason).toContain('It speaks version 2 of ACP; version 1 is needed.');
  });
});

describe('a bus that fails', () => {
  it('does not keep an agent from being supervised', async () => {
    await started({}, {}, 'fresh');
    await house.inState('echo', 'healthy');
    vi.spyOn(house.bus, 'publish').mockRejectedValue(new Error('the log is full'));
    await house.ask('/crash').result.catch(() => undefined);
    await vi.waitFor(
      () => expect(house.agents.get('echo')).toMatchObject({ state: 'healthy', generation: 2 }),
      {
        timeout: 5000,
      },
    );
    expect(house.log).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'An event could not be published' }),
    );
    vi.restoreAllMocks();
  });
});
