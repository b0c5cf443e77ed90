import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AgentDrillResult } from '../../contract/index.ts';
import { misbehaving, startAgents, type TestAgents } from '../fixtures/start-agents.ts';

let house: TestAgents;
const impatient = { heartbeatIntervalMs: 50, livenessProbeTimeoutMs: 300 };

afterEach(() => house.end());

async function withAgent(behaviour: string, settings: Parameters<typeof startAgents>[0] = {}) {
  house = await startAgents(settings, {}, 'without agents');
  const { id } = await house.agents.create({ name: behaviour, launch: misbehaving(behaviour) });
  return id;
}

/** The newest drill, once it is over. */
async function result(id: string): Promise<AgentDrillResult> {
  return vi.waitFor(
    () => {
      const [drill] = house.agents.get(id).drillResults;
      expect(drill?.state).not.toBe('running');
      return drill as AgentDrillResult;
    },
    { timeout: 40_000, interval: 20 },
  );
}

describe('the drill crash', () => {
  it('is detected, recovered from, and never opens the breaker', async () => {
    house = await startAgents();
    for (let generation = 1; generation <= 7; generation++) {
      await house.inState('echo', 'healthy');
      const drilled = await house.agents.drill('echo', 'crash');
      expect(drilled.drillResults[0]).toMatchObject({ kind: 'crash', state: 'running', generation });
      const over = await result('echo');
      expect(over).toMatchObject({ state: 'recovered', interruptedTurns: 0, note: '' });
      expect(over.detectMs).toBeLessThanOrEqual(over.recoverMs as number);
    }
    const echo = house.agents.get('echo');
    expect(echo).toMatchObject({ generation: 8, restarts: 7, failures: [] });
    expect(echo.exits[0]).toMatchObject({ signal: 'SIGKILL', intended: false, reason: 'Crash drill' });
    expect(house.dataOf('agent.recovered')).toHaveLength(7);
    expect(house.dataOf('agent.drill.started')).toHaveLength(7);
    expect(house.dataOf('agent.drill.ended').map(({ drill }) => drill)).toEqual(
      echo.drillResults.toReversed(),
    );
  });

  it('counts the turns that it ended', async () => {
    house = await startAgents();
    const asked = [1, 2].map((n) => house.ask('/slow 60000', { sessionId: `session-${n}` }));
    await vi.waitFor(() => expect(house.agents.get('echo').runningTurns).toBe(2));
    await house.agents.drill('echo', 'crash');
    for (const { result: ended } of asked)
      await expect(ended).rejects.toMatchObject({ code: 'agent.crashed' });
    expect(await result('echo')).toMatchObject({ state: 'recovered', interruptedTurns: 2 });
  });
});

describe('the drill hang', () => {
  it('is detected by the silence, and ends with the next process', async () => {
    house = await startAgents(impatient);
    await house.inState('echo', 'healthy');
    const asked = house.ask('/slow 60000');
    await house.inState('echo', 'busy');
    await house.agents.drill('echo', 'hang');
    await expect(asked.result).rejects.toMatchObject({ code: 'agent.unresponsive' });
    expect(await result('echo')).toMatchObject({ state: 'recovered', generation: 1, interruptedTurns: 1 });
    expect(house.agents.get('echo')).toMatchObject({ generation: 2, failures: [] });
    const states = house.dataOf('agent.state.changed').map(({ to }) => to);
    expect(states).toEqual(expect.arrayContaining(['unresponsive', 'restarting', 'healthy']));
  });
});

describe('the drill slow', () => {
  it('is done by an agent that knows it', { timeout: 60_000 }, async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.agents.drill('echo', 'slow');
    const slow = await house.inState('echo', 'degraded');
    expect(slow).toMatchObject({ generation: 1, reason: expect.stringMatching(/took \d+ ms to answer/) });
    expect(await result('echo')).toMatchObject({ kind: 'slow', state: 'recovered', interruptedTurns: 0 });
    expect(await house.inState('echo', 'healthy')).toMatchObject({ generation: 1 });
  });

  it('is done to any other', { timeout: 60_000 }, async () => {
    const id = await withAgent('repeats');
    await house.inState(id, 'healthy');
    await house.agents.drill(id, 'slow');
    const over = await result(id);
    expect(over).toMatchObject({ kind: 'slow', state: 'recovered' });
    expect(over.detectMs).toBeLessThan(over.recoverMs as number);
    expect(house.dataOf('agent.state.changed').map(({ to }) => to)).toContain('degraded');
    expect(await house.inState(id, 'healthy')).toMatchObject({ generation: 1, exits: [] });
  });
});

describe('the drill flood', () => {
  it('is done by an agent that knows it', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.agents.drill('echo', 'flood');
    expect(await result('echo')).toMatchObject({ kind: 'flood', state: 'recovered', generation: 1 });
  });

  it('is done to any other', async () => {
    const id = await withAgent('repeats');
    await house.inState(id, 'healthy');
    await house.agents.drill(id, 'flood');
    expect(await result(id)).toMatchObject({ kind: 'flood', state: 'recovered' });
    expect(await house.inState(id, 'healthy')).toMatchObject({ generation: 1 });
  });
});

describe('a drill', () => {
  it('is refused while another one runs, and where there is no process', async () => {
    house = await startAgents(impatient);
    await house.inState('echo', 'healthy');
    await house.agents.drill('echo', 'hang');
    await expect(house.agents.drill('echo', 'crash')).rejects.toMatchObject({ code: 'agent.drill_running' });
    await house.agents.stopAgent('echo');
    expect(await result('echo')).toMatchObject({ state: 'failed', note: 'Stopped by the user' });
    await expect(house.agents.drill('echo', 'crash')).rejects.toMatchObject({ code: 'agent.not_ready' });
  });

  it('that is taken from probes is not offered by an agent that answers none', async () => {
    const id = await withAgent('answers-no-probes', impatient);
    expect(await house.inState(id, 'degraded')).toMatchObject({ drills: ['crash'], isProbed: false });
    await expect(house.agents.drill(id, 'hang')).rejects.toMatchObject({ code: 'agent.drill_unsupported' });
    await house.agents.drill(id, 'crash');
    expect(await result(id)).toMatchObject({ state: 'recovered' });
  });

  it('that ran when the app ended has failed, and is kept', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.agents.drill('echo', 'slow');
    await house.reopen();
    expect(house.agents.get('echo').drillResults).toMatchObject([
      { kind: 'slow', state: 'failed', note: 'SmallTalk Console was closed' },
    ]);
  });

  it('that ran when the app was killed has failed', async () => {
    house = await startAgents();
    await house.inState('echo', 'healthy');
    await house.agents.drill('echo', 'crash');
    await result('echo');
    await house.reopen(async () => {
      const state = await house.storage.get<{ drillResults: AgentDrillResult[] }>('agent_states', 'echo');
      const drillResults = state?.value.drillResults.map((drill) => ({ ...drill, state: 'running' }));
      await house.storage.commit([
        { kind: 'put', collection: 'agent_states', id: 'echo', value: { ...state?.value, drillResults } },
      ]);
    });
    const [failed, ...others] = house.agents.get('echo').drillResults;
    expect(failed).toMatchObject({
      kind: 'crash',
      state: 'failed',
      note: 'The app was ended in the middle of it',
    });
    expect(others).toEqual([]);
    await vi.waitFor(() => expect(house.dataOf('agent.drill.ended').at(-1)?.drill).toEqual(failed));
  });
});
