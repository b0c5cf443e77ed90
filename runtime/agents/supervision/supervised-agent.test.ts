import { beforeEach, describe, expect, it } from 'vitest';
import { createVirtualAgent, type VirtualAgent } from './virtual-agent.fixture.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

let house: VirtualAgent;

beforeEach(() => {
  house = createVirtualAgent();
});

describe('an agent that stands still', () => {
  it('is unresponsive within 10 s, wherever in the interval that happens', async () => {
    await house.start();
    expect(house.agent.state).toBe('healthy');
    for (const offset of [0, 1, 1000, 1999]) {
      await house.clock.advance(offset);
      house.manner.probes = 'silent';
      const since = house.clock.now();
      while (house.agent.state === 'healthy') await house.clock.advance(100);
      expect(house.agent.state).toBe('unresponsive');
      expect(house.clock.now() - since).toBeLessThanOrEqual(10 * SECOND);
      house.manner.probes = 'answered';
      house.newest().wakeUp();
      await house.clock.advance(0);
      expect(house.agent.state, 'without a restart').toBe('healthy');
      await house.clock.advance(1);
    }
    expect(house.agent.view()).toMatchObject({ generation: 1, exits: [], restarts: 0 });
    expect(house.states()).not.toContain('restarting');
  });

  it('is never called healthy before it has answered in time again', async () => {
    await house.start();
    house.manner.probes = 'silent';
    await house.clock.advance(10 * SECOND);
    house.manner.probes = 1500;
    house.newest().wakeUp();
    await house.clock.advance(0);
    expect(house.agent.state).toBe('degraded');
    await house.clock.advance(1500);
    expect(house.agent.state).toBe('degraded');
    house.manner.probes = 'answered';
    await house.clock.advance(2 * SECOND);
    expect(house.agent.state).toBe('healthy');
  });

  it('is given up after 90 s, and recovered', async () => {
    await house.start();
    const turn = house.ask();
    await house.clock.advance(0);
    house.manner.probes = 'silent';
    await house.clock.advance(80 * SECOND);
    expect(house.agent.state).toBe('unresponsive');
    house.manner.probes = 'answered';
    await house.clock.advance(15 * SECOND);
    await expect(turn).rejects.toMatchObject({ code: 'agent.unresponsive' });
    expect(house.agent.view()).toMatchObject({ state: 'healthy', generation: 2, restarts: 1 });
    expect(house.agent.view().exits[0]).toMatchObject({
      signal: 'SIGKILL',
      intended: false,
      reason: expect.stringContaining('AGENT_HEARTBEAT_TIMEOUT'),
    });
  });
});

describe('a long silent tool call', () => {
  it('is quiet, not dead', async () => {
    await house.start();
    const turn = house.ask();
    await house.clock.advance(0);
    await house.clock.advance(20 * MINUTE);
    expect(house.agent.view()).toMatchObject({ state: 'busy', generation: 1, exits: [] });
    const { quietSince } = house.agent.view();
    expect(quietSince).toBe(house.clock.now() - 20 * MINUTE);
    expect(house.dataOf('agent.quiet.changed')).toEqual([{ id: 'mine', since: quietSince }]);
    house.newest().turn?.request.onUpdate({ kind: 'text', text: 'done' });
    expect(house.agent.view().quietSince).toBeUndefined();
    expect(house.dataOf('agent.quiet.changed').at(-1)).toEqual({ id: 'mine' });
    house.newest().turn?.end();
    await turn;
    expect(house.agent.state).toBe('healthy');
  });
});

describe('an agent that waits for the user', () => {
  it('needs him while a turn runs, and not longer', async () => {
    await house.start();
    house.agent.setWaiting(1);
    expect(house.agent.view()).toMatchObject({ state: 'healthy', waitingForYou: 1 });
    const turn = house.ask();
    await house.clock.advance(0);
    expect(house.agent.state).toBe('needs-you');
    await house.clock.advance(MINUTE);
    expect(house.agent.state, 'probes change nothing').toBe('needs-you');
    house.agent.setWaiting(0);
    expect(house.agent.state).toBe('busy');
    house.agent.setWaiting(2);
    house.newest().turn?.end();
    await turn;
    expect(house.agent.state).toBe('healthy');
  });

  it('is unresponsive when it stands still, and needs him again when it is back', async () => {
    await house.start();
    house.ask();
    await house.clock.advance(0);
    house.agent.setWaiting(1);
    house.manner.probes = 'silent';
    await house.clock.advance(10 * SECOND);
    expect(house.agent.state).toBe('unresponsive');
    house.manner.probes = 'answered';
    house.newest().wakeUp();
    await house.clock.advance(0);
    expect(house.agent.state).toBe('needs-you');
  });
});

describe('an agent that answers no probes', () => {
  beforeEach(async () => {
    house.manner.probes = 'silent';
    await house.start();
    await house.clock.advance(5 * SECOND);
  });

  it('is degraded, busy with a turn, and never healthy', async () => {
    expect(house.agent.view()).toMatchObject({ state: 'degraded', isProbed: false });
    const turn = house.ask();
    await house.clock.advance(10 * MINUTE);
    expect(house.agent.state).toBe('busy');
    house.newest().turn?.end();
    await turn;
    expect(house.agent.view()).toMatchObject({ state: 'degraded', generation: 1 });
    expect(house.states()).not.toContain('healthy');
  });

  it('is watched as soon as it answers the first one, however late', async () => {
    house.manner.probes = 'answered';
    house.newest().wakeUp();
    await house.clock.advance(0);
    expect(house.agent.view()).toMatchObject({ state: 'degraded', isProbed: true });
    await house.clock.advance(2 * SECOND);
    expect(house.agent.state).toBe('healthy');
    house.manner.probes = 'silent';
    await house.clock.advance(10 * SECOND);
    expect(house.agent.state).toBe('unresponsive');
  });
});

describe('a process that comes up', () => {
  it('is not ready before it has answered a probe, when an earlier one did', async () => {
    await house.start();
    house.manner.probes = 'silent';
    await house.die();
    await house.clock.advance(60 * SECOND);
    expect(house.agent.view()).toMatchObject({ state: 'restarting', generation: 2 });
    house.manner.probes = 'answered';
    house.newest().wakeUp();
    await house.clock.advance(0);
    expect(house.agent.view()).toMatchObject({ state: 'degraded', generation: 2, restarts: 1 });
    await house.clock.advance(2 * SECOND);
    expect(house.agent.state).toBe('healthy');
  });

  it('is given up when it answers none, when an earlier one did', async () => {
    await house.start();
    house.manner.probes = 'silent';
    await house.die();
    await house.clock.advance(91 * SECOND);
    expect(house.agent.view().exits[0]).toMatchObject({
      generation: 2,
      reason: expect.stringContaining('no probe'),
    });
  });
});
