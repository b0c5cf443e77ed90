/** The configuration of an agent changes, or all of them do, because another data set is active. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { agentConfig } from '../contract/index.ts';
import { isAlive, misbehaving, startAgents, type TestAgents } from './fixtures/start-agents.ts';

let house: TestAgents;

beforeEach(async () => {
  house = await startAgents();
});
afterEach(() => house.end());

describe('a configuration', () => {
  it('is changed, with its version and its event, and what runs on the old one is replaced', async () => {
    const { version } = await house.inState('echo', 'healthy');
    const launch = { kind: 'builtin' as const, program: 'echo' as const, args: ['--repeat', '2'] };
    const changed = await house.agents.update({ id: 'echo', launch, expectedVersion: version });
    expect(changed).toMatchObject({ version: version + 1, generation: 2, launch });
    const asked = house.ask('twice');
    await asked.result;
    expect(asked.text()).toBe('twice\ntwice');
    expect(house.agents.get('echo').exits[0]).toMatchObject({
      intended: true,
      reason: 'Its configuration has changed',
    });
    await house.agents.update({ id: 'echo', name: 'Twice', autostart: false });
    expect(house.agents.get('echo')).toMatchObject({ name: 'Twice', generation: 2, launch });
    expect(house.dataOf('agent.changed')).toEqual([
      { id: 'echo', name: 'Echo' },
      { id: 'echo', name: 'Twice' },
    ]);
    await house.reopen();
    expect(house.agents.get('echo')).toMatchObject({ name: 'Twice', state: 'stopped', launch });
  });

  it('is not changed by somebody who has not seen the newest, nor to what cannot be', async () => {
    await house.inState('echo', 'healthy');
    const other = await house.agents.create({
      name: 'Other',
      launch: misbehaving('repeats'),
      autostart: false,
    });
    const refused = (change: object, code: string) =>
      expect(house.agents.update({ id: 'echo', ...change })).rejects.toMatchObject({ code });
    await refused({ name: 'New', expectedVersion: 7 }, 'storage.version_conflict');
    await refused({ name: 'OTHER' }, 'agent.name_taken');
    await refused(
      { launch: { ...misbehaving('repeats'), command: '/nonexistent/agent' } },
      'agent.command_not_found',
    );
    expect(house.agents.get('echo')).toMatchObject({ name: 'Echo', version: 1, generation: 1 });
    await house.agents.update({ id: other.id, name: 'oTHER' });
    expect(house.agents.get(other.id).name, 'its own name is not taken').toBe('oTHER');
  });
});

describe('an agent that is to be added', () => {
  it('is tried out, and nothing of that is kept', async () => {
    await house.inState('echo', 'healthy');
    const { signal } = new AbortController();
    const shy = await house.agents.test({ launch: misbehaving('needs-login') }, signal);
    expect(shy).toMatchObject({ ok: true, agentInfo: { name: 'shy' }, isProbed: true });
    const other = await house.agents.test({ launch: misbehaving('exits-in-initialize', '7') }, signal);
    expect(other).toMatchObject({ ok: false, error: { code: 'agent.crashed' } });
    expect(house.agents.list().map(({ id }) => id)).toEqual(['echo']);
    expect(house.dataOf('agent.process.started')).toHaveLength(1);
  });

  it('is looked for among the well-known ones', async () => {
    const { items, path } = await house.agents.detect(new AbortController().signal);
    expect(items.length).toBeGreaterThan(5);
    expect(path.length).toBeGreaterThan(0);
  });
});

describe('after the data set was switched', () => {
  it('follows it: ends what is gone, starts what is new, keeps the rest but not its sessions', async () => {
    const gone = await house.agents.create({ name: 'Gone', launch: misbehaving('repeats') });
    await house.inState(gone.id, 'healthy');
    await house.ask('first').result;
    const { pid } = house.agents.get('echo');
    const added = { ...gone, id: 'added', name: 'Added', createdAt: gone.createdAt + 1 };
    await house.storage.commit([
      { kind: 'delete', collection: 'agents', id: gone.id },
      {
        kind: 'put',
        collection: 'agents',
        id: 'added',
        value: agentConfig.parse(added),
        index: { createdAt: added.createdAt },
      },
    ]);
    await house.agents.reload();
    expect(house.agents.list().map(({ id }) => id)).toEqual(['echo', 'added']);
    expect(await house.storage.get('agent_states', gone.id), 'nor is its state kept').toBeUndefined();
    expect(isAlive(gone.pid as number)).toBe(false);
    await house.inState('added', 'healthy');
    expect(house.agents.get('echo')).toMatchObject({ pid, generation: 1 });
    const asked = house.ask('/history', { history: async () => [{ role: 'user', text: 'restored' }] });
    await asked.result;
    expect(asked.text()).toContain('1 earlier turn ');
  });

  it('loses no agent when the new ones cannot be read', async () => {
    const { pid } = await house.inState('echo', 'healthy');
    const first = agentConfig.parse({
      ...house.agents.get('echo'),
      id: 'first',
      name: 'First',
      createdAt: 1,
    });
    await house.storage.commit([
      { kind: 'put', collection: 'agents', id: 'first', value: first, index: { createdAt: 1 } },
    ]);
    const get = house.storage.get.bind(house.storage);
    const failing = vi.spyOn(house.storage, 'get').mockImplementation(async (collection, id) => {
      if (collection === 'agent_states') throw new Error('the disk is gone');
      return get(collection, id);
    });
    await expect(house.agents.reload()).rejects.toThrow('the disk is gone');
    expect(house.agents.list()).toMatchObject([{ id: 'echo', pid, state: 'healthy' }]);
    failing.mockRestore();
    await house.agents.reload();
    expect(house.agents.list()).toMatchObject([{ id: 'first' }, { id: 'echo', pid }]);
  });

  it('goes on with what it knows of the agents that are still there', async () => {
    await house.inState('echo', 'healthy');
    await house.agents.restartAgent('echo');
    await house.inState('echo', 'healthy');
    // The data set that is active now was made when the first process ran.
    await house.storage.commit([
      { kind: 'put', collection: 'agent_states', id: 'echo', value: { generation: 1, desired: 'stopped' } },
    ]);
    await house.agents.reload();
    expect(house.agents.get('echo')).toMatchObject({ state: 'healthy', generation: 2 });
    await vi.waitFor(async () =>
      expect(await house.storage.get('agent_states', 'echo')).toMatchObject({
        value: { generation: 3, desired: 'running', exits: [{ generation: 1 }] },
      }),
    );
  });

  it('restarts an agent whose launch is another one now', async () => {
    await house.inState('echo', 'healthy');
    const config = agentConfig.parse(house.agents.get('echo'));
    await house.storage.commit([
      {
        kind: 'put',
        collection: 'agents',
        id: 'echo',
        value: { ...config, launch: { kind: 'builtin', program: 'echo', args: ['--repeat', '2'] } },
        index: { createdAt: config.createdAt },
      },
    ]);
    await house.agents.reload();
    const asked = house.ask('twice');
    await asked.result;
    expect(asked.text()).toBe('twice\ntwice');
    expect(house.agents.get('echo')).toMatchObject({ generation: 2, version: 2 });
  });
});
