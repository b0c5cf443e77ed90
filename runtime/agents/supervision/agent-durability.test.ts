import { spawn as nodeSpawn } from 'node:child_process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { misbehaving, startAgents, type TestAgents } from '../fixtures/start-agents.ts';
import type { SpawnProcess } from '../processes/started-process.ts';
import type { AgentRecord } from './agent-record.ts';

let house: TestAgents;

afterEach(() => house.end());

async function kept(id: string): Promise<AgentRecord | undefined> {
  return (await house.storage.get<AgentRecord>('agent_states', id))?.value;
}

/** Changes what was kept, as an app that was killed would have left it. */
async function keep(id: string, change: Partial<AgentRecord> | Record<string, unknown>): Promise<void> {
  const value = { ...(await kept(id)), ...change };
  await house.storage.commit([{ kind: 'put', collection: 'agent_states', id, value }]);
}

describe('over restarts of the app', () => {
  it('numbers the processes on, and keeps how they ended', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.ask('/crash').result.catch(() => undefined);
    await vi.waitFor(() => expect(house.agents.get('echo').generation).toBe(2), { timeout: 5000 });
    await house.inState('echo', 'healthy');
    await house.reopen();
    const echo = await house.inState('echo', 'healthy');
    expect(echo).toMatchObject({ generation: 3, restarts: 0 });
    expect(echo.exits).toMatchObject([
      { generation: 2, code: 0, intended: true, reason: 'SmallTalk Console was closed' },
      { generation: 1, code: 1, intended: false, reason: 'It ended with exit code 1' },
    ]);
    for (const { pid, uptimeMs } of echo.exits) {
      expect(pid).toBeGreaterThan(0);
      expect(uptimeMs).toBeGreaterThan(0);
    }
    expect(echo.failures).toHaveLength(1);
    expect(await kept('echo')).toMatchObject({ name: 'Echo', kind: 'agent', restarts: 1 });
  });

  it('never gives a number again that an app that was killed may have given', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.reopen(() => keep('echo', { generation: 7 }));
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 8 });
  });

  it('tells how the process ended that was there when the app was killed', async () => {
    house = await startAgents();
    const { pid } = await house.inState('echo', 'healthy');
    await house.reopen(() => keep('echo', { running: { generation: 1, pid }, exits: [], generation: 2 }));
    const { exits, generation, failures } = await house.inState('echo', 'healthy');
    expect({ generation, failures }).toEqual({ generation: 3, failures: [] });
    expect(exits).toMatchObject([
      {
        generation: 1,
        pid,
        intended: true,
        reason: 'Its end was not seen: the app was killed, or this is a copy of its data',
      },
    ]);
    expect(house.dataOf('agent.process.exited').at(-1)).toEqual({ id: 'echo', exit: exits[0] });
    expect((await kept('echo'))?.running).toMatchObject({ generation: 3 });
  });

  it('makes a number durable before the process that has it is started', async () => {
    const claims: unknown[] = [];
    const spawn: SpawnProcess = (command, args, options) => {
      claims.push(kept('echo').then((record) => record?.generation));
      return nodeSpawn(command, args, options);
    };
    house = await startAgents({}, { spawn });
    await house.inState('echo', 'healthy');
    // That of the next one is made so while this one runs: a recovery does not wait for the disk.
    await vi.waitFor(async () => expect(await kept('echo')).toMatchObject({ generation: 2 }));
    await house.agents.restartAgent('echo');
    await house.inState('echo', 'healthy');
    expect(await Promise.all(claims)).toEqual([1, 2]);
    // An app that ends in order takes back what it has not used.
    await house.reopen();
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 3 });
  });

  it('leaves stopped what the user stopped, until he starts it', async () => {
    house = await startAgents();
    await house.agents.stopAgent('echo');
    await house.reopen();
    expect(house.agents.get('echo')).toMatchObject({ state: 'stopped', reason: 'Stopped by the user' });
    await house.agents.startAgent('echo');
    await house.reopen();
    await house.inState('echo', 'healthy');
  });

  it('tells that the work of an agent was interrupted that does not start by itself', async () => {
    house = await startAgents({}, {}, 'without agents');
    const { id } = await house.agents.create({
      name: 'Mine',
      launch: misbehaving('ignores-cancel'),
      autostart: false,
    });
    await house.agents.startAgent(id);
    await house.inState(id, 'healthy');
    const asked = house.ask('go', { agentId: id });
    await house.inState(id, 'busy');
    await vi.waitFor(async () => expect(await kept(id)).toMatchObject({ inTurn: true }));
    await house.reopen();
    await expect(asked.result).rejects.toMatchObject({ code: 'agent.stopped' });
    expect(house.agents.get(id)).toMatchObject({
      state: 'interrupted',
      reason: 'The app ended while it was answering a prompt',
    });
    await expect(house.ask('go', { agentId: id }).result).rejects.toMatchObject({ code: 'agent.stopped' });
    await house.reopen();
    expect(house.agents.get(id).state, 'until it is started').toBe('interrupted');
    await house.agents.startAgent(id);
    await house.inState(id, 'healthy');
    await house.reopen();
    expect(house.agents.get(id).state).toBe('stopped');
  });

  it('keeps an open breaker open', async () => {
    house = await startAgents({}, {}, 'without agents');
    const { id } = await house.agents.create({
      name: 'Crasher',
      launch: misbehaving('exits-in-initialize', '7'),
    });
    const broken = await house.inState(id, 'crash-loop');
    expect(broken.failures).toHaveLength(5);
    await house.reopen();
    const again = house.agents.get(id);
    expect(again).toMatchObject({
      state: 'crash-loop',
      failures: broken.failures,
      generation: 5,
    });
    // What is left of the wait is taken from two clocks.
    expect(Math.abs((again.halfOpenAt as number) - (broken.halfOpenAt as number))).toBeLessThanOrEqual(50);
  });

  it('makes the try of a breaker whose time has passed meanwhile', async () => {
    house = await startAgents({}, {}, 'without agents');
    const { id } = await house.agents.create({
      name: 'Crasher',
      launch: misbehaving('exits-in-initialize', '7'),
    });
    await house.inState(id, 'crash-loop');
    await house.reopen(() => keep(id, { halfOpenAt: Date.now() - 1, failures: [] }));
    await vi.waitFor(
      () => expect(house.agents.get(id)).toMatchObject({ state: 'crash-loop', generation: 6 }),
      {
        timeout: 5000,
      },
    );
    const { halfOpenAt, since } = house.agents.get(id);
    expect(Math.round(((halfOpenAt as number) - since) / 60_000), 'twice as long').toBe(10);
  });

  it('begins anew with a state that cannot be read, and loses only the part that cannot', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.reopen(() => keep('echo', { exits: [{ odd: true }], generation: 4 }));
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 5, exits: [] });
    await house.reopen(() => keep('echo', { generation: 'many' }));
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 1 });
    expect(house.log).toContainEqual(
      expect.objectContaining({ level: 'error', metadata: expect.objectContaining({ agentId: 'echo' }) }),
    );
  });

  it('forgets the state of an agent that is deleted', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.agents.delete('echo');
    expect(await kept('echo')).toBeUndefined();
  });
});

describe('a storage that fails', () => {
  it('costs the history, not the recovery', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    const commit = vi.spyOn(house.storage, 'commit').mockRejectedValue(new Error('the disk is full'));
    await house.ask('/crash').result.catch(() => undefined);
    await vi.waitFor(
      () => expect(house.agents.get('echo')).toMatchObject({ state: 'healthy', generation: 2 }),
      {
        timeout: 5000,
      },
    );
    expect(house.log).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'The state of an agent could not be saved' }),
    );
    commit.mockRestore();
    // The next write makes up for it.
    await house.agents.drill('echo', 'crash');
    await vi.waitFor(async () => expect((await kept('echo'))?.exits).toHaveLength(2));
  });

  it('that does not answer does not hold up a launch', async () => {
    house = await startAgents({}, {}, 'without agents');
    const { id } = await house.agents.create({
      name: 'Mine',
      launch: misbehaving('repeats'),
      autostart: false,
    });
    const commit = vi
      .spyOn(house.storage, 'commit')
      .mockImplementation(() => Promise.withResolvers<never>().promise);
    await house.agents.startAgent(id);
    await house.inState(id, 'healthy');
    commit.mockRestore();
  });
});

describe('a system without room for another process', () => {
  it('is asked again, with ever longer pauses, until the breaker opens', async () => {
    let refusals = 0;
    house = await startAgents(
      {},
      {
        random: () => 0,
        spawn: () => {
          refusals += 1;
          throw Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
        },
      },
    );
    const broken = await house.inState('echo', 'crash-loop');
    expect(refusals).toBe(5);
    expect(broken).toMatchObject({ generation: 0, attempt: 5, exits: [] });
    expect(broken.reason).toContain('The system has no room');
    expect(broken.halfOpenAt).toBeGreaterThan(Date.now());
    const states = house.dataOf('agent.state.changed').map(({ to }) => to);
    expect(states.slice(0, 2)).toEqual(['restarting', 'restarting']);
    await house.agents.retryAgent('echo');
    expect(house.agents.get('echo')).toMatchObject({ state: 'crash-loop' });
    expect(refusals, 'one try only').toBe(6);
  });
});
