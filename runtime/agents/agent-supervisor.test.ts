import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { agent } from '../contract/index.ts';
import { isAlive, misbehaving, startAgents, type TestAgents } from './fixtures/start-agents.ts';
import { digestOf, formatMark, MARK_VARIABLE } from './processes/agent-mark.ts';

let house: TestAgents;

beforeEach(async () => {
  house = await startAgents();
});
afterEach(() => house.end());

describe('a fresh store', () => {
  it('has the built-in echo, which becomes healthy by itself', async () => {
    expect(house.agents.list().map(({ id, name }) => [id, name])).toEqual([['echo', 'Echo']]);
    const echo = await house.inState('echo', 'healthy');
    expect(echo).toMatchObject({
      generation: 1,
      version: 1,
      reason: 'Ready',
      runningTurns: 0,
      restarts: 0,
      attempt: 0,
      agentInfo: { name: 'echo', version: '1.0.0' },
      drills: ['crash', 'hang', 'slow', 'flood'],
      exits: [],
    });
    expect(echo.heartbeats[0]).toMatchObject({ ok: true });
    expect(agent.strict().parse(echo), 'what the contract says, no more and no less').toEqual(echo);
    expect(house.dataOf('agent.created')).toEqual([{ id: 'echo', name: 'Echo' }]);
    expect(house.dataOf('agent.process.started')).toEqual([{ id: 'echo', generation: 1, pid: echo.pid }]);
    expect(house.dataOf('agent.state.changed').map(({ from, to }) => `${from} → ${to}`)).toEqual([
      'unknown → healthy',
    ]);
  });
});

describe('a prompt', () => {
  it('streams its answer in words', async () => {
    const asked = house.ask('Say this,  word by\nword.');
    expect(await asked.result).toMatchObject({ stopReason: 'end_turn' });
    expect(asked.text()).toBe('Say this,  word by\nword.');
    expect(asked.updates.length).toBeGreaterThanOrEqual(5);
  });

  it('makes the agent busy, and healthy again', async () => {
    await house.inState('echo', 'healthy');
    const asked = house.ask('/slow 50');
    expect(house.agents.get('echo')).toMatchObject({ state: 'healthy', runningTurns: 0 });
    await house.inState('echo', 'busy');
    expect(house.agents.get('echo').runningTurns).toBe(1);
    await asked.result;
    expect(house.agents.get('echo')).toMatchObject({ state: 'healthy', runningTurns: 0 });
    const changes = house.events.filter(({ type }) => type === 'agent.state.changed').slice(-2);
    expect(changes.map(({ correlationid }) => correlationid)).toEqual(['correlation-1', 'correlation-1']);
  });
});

describe('the list of agents', () => {
  it('gets the demo fleet, once', async () => {
    const fleet = await house.agents.createDemoFleet();
    expect(fleet.map(({ name }) => name)).toEqual(['Echo', 'Slow echo', 'Noisy echo', 'Chat']);
    for (const { id } of fleet) await house.inState(id, 'healthy');
    const again = await house.agents.createDemoFleet();
    expect(again.map(({ id, generation }) => [id, generation])).toEqual(fleet.map(({ id }) => [id, 1]));
    expect(house.agents.list().map(({ id }) => id)).toEqual(['echo', 'echo-slow', 'echo-noisy', 'chat']);
    expect(house.dataOf('agent.created')).toHaveLength(4);
    expect(house.agents.counts()).toEqual({
      total: 4,
      healthy: 4,
      failed: 0,
      disconnected: 0,
      recovering: 0,
      successfulRecoveries: 0,
    });
  });

  it('is there again after a restart, in the same order', async () => {
    const { id } = await house.agents.create({
      name: 'Mine',
      launch: misbehaving('repeats'),
      autostart: false,
    });
    await house.agents.delete('echo');
    await house.agents.stop();
    await house.agents.start();
    expect(house.agents.list().map((agent) => [agent.id, agent.name, agent.state])).toEqual([
      [id, 'Mine', 'stopped'],
    ]);
    await house.agents.delete(id);
    await house.agents.stop();
    await house.agents.start();
    expect(house.agents.list(), 'the first agent comes only once').toEqual([]);
  });

  it('has no two agents of one name, however fast they come', async () => {
    const input = { name: 'Twin', launch: misbehaving('repeats'), autostart: false };
    const results = await Promise.allSettled([
      house.agents.create(input),
      house.agents.create({ ...input, name: 'tWIN' }),
      house.agents.create({ ...input, name: 'Echo' }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(results[1]).toMatchObject({ reason: { code: 'agent.name_taken' } });
    expect(house.agents.list()).toHaveLength(2);
  });

  it('leaves out a configuration that cannot be read, and says so', async () => {
    await house.storage.commit([
      { kind: 'put', collection: 'agents', id: 'odd', value: { id: 'odd' }, index: { createdAt: 1 } },
    ]);
    await house.agents.reload();
    expect(house.agents.list().map(({ id }) => id)).toEqual(['echo']);
    expect(house.log).toContainEqual(
      expect.objectContaining({ level: 'error', metadata: expect.objectContaining({ agentId: 'odd' }) }),
    );
  });

  it.each(['get', 'startAgent', 'stopAgent', 'restartAgent', 'delete'] as const)(
    'knows that %s is asked of an agent that is not there',
    async (method) => {
      await expect(async () => house.agents[method]('nobody')).rejects.toMatchObject({
        code: 'agent.not_found',
      });
    },
  );

  it('does not take a command that is not there or cannot be executed', async () => {
    const launch = (command: string) => ({ ...misbehaving('repeats'), command });
    const create = (command: string) => house.agents.create({ name: 'X', launch: launch(command) });
    await expect(create('/nonexistent/agent')).rejects.toMatchObject({ code: 'agent.command_not_found' });
    await expect(create('no-such-command-anywhere')).rejects.toMatchObject({
      code: 'agent.command_not_found',
    });
    const file = join(house.dataDir, 'not-executable');
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o600 });
    await expect(create(file)).rejects.toMatchObject({ code: 'agent.command_not_executable' });
    await expect(create(house.dataDir)).rejects.toMatchObject({ code: 'agent.command_not_executable' });
    await expect(
      house.agents.create({ name: 'X', launch: { ...misbehaving('repeats'), cwd: '/nonexistent' } }),
    ).rejects.toMatchObject({ code: 'agent.working_directory_missing' });
    expect(house.agents.list()).toHaveLength(1);
    expect(house.dataOf('agent.created')).toHaveLength(1);
  });
});

describe('deleting an agent', () => {
  it('ends its process and forgets it', async () => {
    const { pid } = await house.inState('echo', 'healthy');
    await house.agents.delete('echo');
    expect(isAlive(pid as number)).toBe(false);
    expect(house.agents.list()).toEqual([]);
    expect(house.dataOf('agent.deleted')).toEqual([{ id: 'echo', name: 'Echo' }]);
    expect(await house.storage.get('agents', 'echo')).toBeUndefined();
  });

  it('changes nothing when that cannot be saved', async () => {
    const { pid } = await house.inState('echo', 'healthy');
    const commit = house.storage.commit.bind(house.storage);
    const failing = vi.spyOn(house.storage, 'commit').mockImplementation(async (operations) => {
      if (operations.some((one) => one.kind === 'delete' && one.collection === 'agents')) {
        throw new Error('the disk is full');
      }
      return commit(operations);
    });
    await expect(house.agents.delete('echo')).rejects.toThrow('the disk is full');
    expect(house.agents.list()).toMatchObject([{ id: 'echo', pid, state: 'healthy' }]);
    failing.mockRestore();
    await house.agents.delete('echo');
    expect(isAlive(pid as number)).toBe(false);
  });

  it('is refused while it answers', async () => {
    const asked = house.ask('/slow 5000');
    await house.inState('echo', 'busy');
    await expect(house.agents.delete('echo')).rejects.toMatchObject({ code: 'agent.in_use' });
    asked.cancel();
    expect(await asked.result).toMatchObject({ stopReason: 'cancelled' });
    await house.agents.delete('echo');
  });
});

describe('stopping and starting', () => {
  it('stops, refuses prompts, and starts the next generation', async () => {
    const first = await house.inState('echo', 'healthy');
    const stopped = await house.agents.stopAgent('echo');
    expect(stopped).toMatchObject({ state: 'stopped', reason: 'Stopped by the user' });
    expect(stopped.pid).toBeUndefined();
    expect(stopped.exits).toMatchObject([{ generation: 1, code: 0, signal: null, intended: true }]);
    expect(isAlive(first.pid as number)).toBe(false);
    await expect(house.ask('hello').result).rejects.toMatchObject({ code: 'agent.stopped' });
    expect(await house.agents.stopAgent('echo')).toMatchObject({ state: 'stopped' });
    await house.agents.startAgent('echo');
    expect(await house.ask('hello').result).toMatchObject({ stopReason: 'end_turn' });
    expect(house.agents.get('echo')).toMatchObject({ generation: 2, restarts: 0 });
    expect(await house.agents.startAgent('echo'), 'is running already').toMatchObject({ generation: 2 });
  });

  it('cancels the running turn when it is stopped', async () => {
    const asked = house.ask('/slow 5000');
    await house.inState('echo', 'busy');
    await house.agents.stopAgent('echo');
    expect(await asked.result).toMatchObject({ stopReason: 'cancelled' });
  });

  it('restarts at once, and prompts wait for the new process', async () => {
    await house.inState('echo', 'healthy');
    const restarted = house.agents.restartAgent('echo');
    const asked = house.ask('still there?');
    expect((await restarted).generation).toBe(2);
    expect(await asked.result).toMatchObject({ stopReason: 'end_turn' });
    expect(house.agents.get('echo')).toMatchObject({ state: 'healthy', generation: 2 });
  });

  it('neither adds nor removes an agent while the data is being switched', async () => {
    await house.inState('echo', 'healthy');
    await house.agents.pause('a backup is being restored');
    const refused = { code: 'maintenance.active' };
    await expect(house.agents.createDemoFleet()).rejects.toMatchObject(refused);
    await expect(house.agents.delete('echo')).rejects.toMatchObject(refused);
    await house.agents.reload();
    expect(await house.agents.createDemoFleet()).toHaveLength(4);
  });

  it('shares what is asked for twice', async () => {
    await Promise.all([
      house.agents.restartAgent('echo'),
      house.agents.stopAgent('echo'),
      house.agents.startAgent('echo'),
      house.agents.startAgent('echo'),
    ]);
    await house.inState('echo', 'healthy');
    expect(house.dataOf('agent.process.started').length - house.dataOf('agent.process.exited').length).toBe(
      1,
    );
  });

  it('ends a process that ignores everything, with all that it started', async () => {
    const stubborn = await house.agents.create({ name: 'Stubborn', launch: misbehaving('ignores-the-end') });
    const parent = await house.agents.create({ name: 'Parent', launch: misbehaving('leaves-a-grandchild') });
    await house.inState(stubborn.id, 'healthy');
    await house.inState(parent.id, 'healthy');
    const [ended, left] = await Promise.all([
      house.agents.stopAgent(stubborn.id),
      house.agents.stopAgent(parent.id),
    ]);
    expect(ended.exits[0]).toMatchObject({ code: null, signal: 'SIGKILL' });
    const grandchild = Number(/grandchild (\d+)/.exec(left.exits[0]?.stderr ?? '')?.[1]);
    expect(grandchild).toBeGreaterThan(0);
    await vi.waitFor(() => expect(isAlive(grandchild)).toBe(false));
  });
});

describe('what an agent tells', () => {
  it('is kept, frame by frame', async () => {
    await house.ask('hello').result;
    const frames = house.agents.frames('echo', 0);
    expect(frames[0]).toMatchObject({ direction: 'sent', method: 'initialize', generation: 1 });
    expect(frames.map(({ method }) => method)).toContain('session/update');
    const last = frames.at(-1)?.number ?? 0;
    await house.ask('again').result;
    expect(house.agents.frames('echo', last)[0]?.number).toBe(last + 1);
  });

  it('of a session is told to whoever watches', async () => {
    await house.ask('hello').result;
    await vi.waitFor(() =>
      expect(house.told).toContainEqual({
        sessionId: 'session-1',
        told: expect.objectContaining({ commands: expect.any(Array) }),
      }),
    );
  });

  it('of how to log in is shown, and used', async () => {
    const { id } = await house.agents.create({ name: 'Shy', launch: misbehaving('needs-login') });
    const shy = await house.inState(id, 'healthy');
    expect(shy.authMethods.map((method) => method.id)).toEqual(['web', 'shell']);
    await expect(house.ask('hello', { agentId: id }).result).rejects.toMatchObject({
      code: 'agent.login_needed',
    });
    await expect(house.agents.authenticate(id, 'other')).rejects.toMatchObject({
      code: 'agent.auth_method_unknown',
    });
    await house.agents.authenticate(id, 'web');
    expect(await house.ask('hello', { agentId: id }).result).toMatchObject({ stopReason: 'end_turn' });
    await house.agents.stopAgent(id);
    await expect(house.agents.authenticate(id, 'web')).rejects.toMatchObject({ code: 'agent.not_ready' });
  });

  it('is not asked for in a session that no process has open', async () => {
    await house.inState('echo', 'healthy');
    await expect(house.agents.setMode('echo', 'session-1', 'x')).rejects.toMatchObject({
      code: 'session.mode_unknown',
    });
    await house.agents.stopAgent('echo');
    await expect(house.agents.setOption('echo', 'session-1', 'x', true)).rejects.toMatchObject({
      code: 'session.mode_unknown',
    });
  });
});

describe('items that wait for the user', () => {
  it('are counted, and make an agent with a turn need him', async () => {
    house.agents.setWaiting('nobody', 1);
    const asked = house.ask('/slow 60000');
    await house.inState('echo', 'busy');
    house.agents.setWaiting('echo', 2);
    expect(house.agents.get('echo')).toMatchObject({ state: 'needs-you', waitingForYou: 2 });
    expect(house.agents.counts()).toMatchObject({ healthy: 1 });
    house.agents.setWaiting('echo', 0);
    expect(house.agents.get('echo')).toMatchObject({ state: 'busy', waitingForYou: 0 });
    asked.cancel();
    await asked.result;
  });
});

describe('the end of the app', () => {
  it('ends all agents, those that hang, ignore it, answer a prompt or are about to be restarted, too', async () => {
    const stubborn = await Promise.all(
      [1, 2, 3].map((n) =>
        house.agents.create({ name: `Stubborn ${n}`, launch: misbehaving('ignores-the-end') }),
      ),
    );
    const crasher = await house.agents.create({
      name: 'Crasher',
      launch: misbehaving('exits-in-initialize', '1'),
    });
    for (const { id } of stubborn) await house.inState(id, 'healthy');
    const asked = house.ask('hello', { agentId: stubborn[0]?.id ?? '' });
    await asked.result;
    const running = house.ask('/slow 60000');
    const { pid } = await house.inState('echo', 'busy');
    await house.inState(crasher.id, 'restarting', 'crash-loop');
    process.kill(-(house.agents.get(stubborn[1]?.id ?? '').pid as number), 'SIGSTOP');
    await house.agents.stop();
    expect(await running.result).toMatchObject({ stopReason: 'cancelled' });
    expect(house.agents.list()).toEqual([]);
    expect(isAlive(pid as number)).toBe(false);
    const started = house.dataOf('agent.process.started');
    const exited = house.dataOf('agent.process.exited');
    expect(exited).toHaveLength(started.length);
    for (const process of started) expect(isAlive(process.pid), `process ${process.pid}`).toBe(false);
    await house.agents.start();
    await house.inState('echo', 'healthy');
  });
});

describe('processes that an app that was killed has left behind', () => {
  it.runIf(process.platform === 'linux')('are ended by the next one, which says so', async () => {
    let orphan: ChildProcess | undefined;
    let ended: Promise<unknown> | undefined;
    await house.reopen(async () => {
      orphan = spawn('sleep', ['600'], {
        stdio: 'ignore',
        env: {
          [MARK_VARIABLE]: formatMark({
            digest: digestOf(house.dataDir),
            agentId: 'echo',
            generation: 3,
            owner: { pid: process.pid, start: 'of another process' },
          }),
        },
      });
      ended = once(orphan, 'exit');
      await once(orphan, 'spawn');
    });
    expect(await ended).toEqual([null, expect.stringMatching(/^SIG(TERM|KILL)$/)]);
    await vi.waitFor(() =>
      expect(house.dataOf('agent.orphans.reaped')).toEqual([
        { processes: [{ agentId: 'echo', generation: 3, pid: orphan?.pid }] },
      ]),
    );
  });
});

describe('the processes of an agent', () => {
  it.runIf(process.platform === 'linux')('are looked at, and what they take is shown', async () => {
    await vi.waitFor(
      () =>
        expect(house.agents.get('echo').resources).toMatchObject({
          processes: 1,
          memoryBytes: expect.any(Number),
        }),
      { timeout: 15_000 },
    );
    await house.agents.stopAgent('echo');
    expect(house.agents.get('echo').resources).toBeUndefined();
  });
});
