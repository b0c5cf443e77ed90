import { beforeEach, describe, expect, it } from 'vitest';
import { CodedError } from '../../base/errors.ts';
import { agentConfig, fault } from '../../contract/index.ts';
import { HALF_OPEN_MS, LONGEST_HALF_OPEN_MS } from './restart-policy.ts';
import { createVirtualAgent, type VirtualAgent } from './virtual-agent.fixture.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

let house: VirtualAgent;

beforeEach(() => {
  house = createVirtualAgent();
});

describe('an agent that keeps dying', () => {
  it.each([2, 61])('opens the breaker when it always dies after %d s', async (seconds) => {
    await house.start();
    for (let i = 0; i < 5; i++) {
      while (house.agent.state !== 'healthy') await house.clock.advance(100);
      await house.clock.advance(seconds * SECOND);
      await house.die();
    }
    expect(house.agent.view()).toMatchObject({ state: 'crash-loop', generation: 5, attempt: 5 });
    expect(house.agent.view().failures).toHaveLength(5);
    expect(house.agent.view().halfOpenAt).toBe(house.clock.now() + HALF_OPEN_MS);
    await expect(house.ask()).rejects.toMatchObject({ code: 'agent.crash_loop' });
  });

  /** Dies at once, until the breaker is open. */
  async function crashLoop(): Promise<void> {
    await house.start();
    for (let i = 0; i < 5; i++) {
      while (house.agent.state === 'restarting') await house.clock.advance(100);
      await house.die();
    }
    expect(house.agent.state).toBe('crash-loop');
  }

  it('is tried by itself after 5 minutes, and after 10 when that failed', async () => {
    await crashLoop();
    house.manner.initialize = 'silent';
    await house.clock.advance(HALF_OPEN_MS);
    expect(house.agent.view()).toMatchObject({ state: 'restarting', generation: 6 });
    await house.die();
    expect(house.agent.view()).toMatchObject({
      state: 'crash-loop',
      halfOpenAt: house.clock.now() + 2 * HALF_OPEN_MS,
    });
    house.manner.initialize = 'answered';
    await house.clock.advance(2 * HALF_OPEN_MS);
    expect(house.agent.view()).toMatchObject({ state: 'healthy', generation: 7, restarts: 5 });
    expect(house.agent.view().halfOpenAt).toBeUndefined();
  });

  it('is tried when the user says so, once', async () => {
    await crashLoop();
    await house.agent.retry('Tried again by the user');
    await house.clock.advance(0);
    expect(house.agent.state).toBe('healthy');
    await house.clock.advance(10 * SECOND);
    await house.die();
    expect(house.agent.view()).toMatchObject({ state: 'crash-loop', generation: 6 });
  });

  it('is no crash loop for the next app when it serves since the user tried it early', async () => {
    await crashLoop();
    await house.agent.retry('Tried again by the user');
    await house.clock.advance(MINUTE);
    expect(house.agent.state).toBe('healthy');
    const next = createVirtualAgent(house.kept(), house.clock.now());
    await next.start();
    expect(next.agent.state).toBe('healthy');
    await next.die();
    expect(next.agent.state, 'but on trial still').toBe('crash-loop');
  });

  it('is not locked up for longer because the clock was set back', async () => {
    const now = Date.UTC(2026, 0, 1);
    const next = createVirtualAgent({ halfOpenAt: Date.UTC(2040, 0, 1), openings: 1 }, now);
    await next.start();
    expect(next.agent.view()).toMatchObject({ state: 'crash-loop', halfOpenAt: now + LONGEST_HALF_OPEN_MS });
    await next.clock.advance(LONGEST_HALF_OPEN_MS - 1);
    expect(next.agent.state).toBe('crash-loop');
    await next.clock.advance(1);
    expect(next.agent.state).toBe('healthy');
  });

  it('has what failed without a process kept for the next app, too', async () => {
    house.manner.launch = fault('agent.start_refused', 'no room');
    await house.start();
    expect(house.agent.state).toBe('restarting');
    expect(house.kept().failures).toEqual([house.clock.now()]);
  });

  it('has a clean slate when the user starts it', async () => {
    await crashLoop();
    await house.agent.start();
    await house.clock.advance(0);
    await house.die();
    expect(house.agent.view()).toMatchObject({ state: 'restarting', attempt: 1 });
  });

  it('stays stopped when the user stops it', async () => {
    await crashLoop();
    await house.agent.stop('Stopped by the user');
    await house.clock.advance(60 * MINUTE);
    expect(house.agent.view()).toMatchObject({ state: 'stopped', generation: 5 });
    expect(house.clock.pending).toBe(0);
  });
});

describe('a prompt', () => {
  it('waits for an agent that is starting again, and is told when that takes too long', async () => {
    await house.start();
    house.manner.initialize = 'silent';
    await house.die();
    await house.clock.advance(100);
    const served = house.ask();
    const late = house.ask();
    await house.clock.advance(10 * SECOND);
    await expect(late).rejects.toMatchObject({ code: 'agent.not_ready' });
    await expect(served).rejects.toMatchObject({ code: 'agent.not_ready' });
    house.manner.initialize = 'answered';
    await house.die();
    const third = house.ask();
    await house.clock.advance(SECOND);
    house.newest().turn?.end();
    expect(await third).toEqual({ stopReason: 'end_turn' });
  });

  it('shows the wait of the next restart, and can be helped by “Retry now”', async () => {
    await house.start();
    await house.die();
    await house.clock.advance(60);
    await house.die();
    expect(house.agent.view()).toMatchObject({
      state: 'restarting',
      attempt: 2,
      nextRestartAt: house.clock.now() + 500,
    });
    await house.agent.retry('Tried again by the user');
    await house.clock.advance(0);
    expect(house.agent.view()).toMatchObject({ state: 'healthy', generation: 3, attempt: 0 });
    expect(house.agent.view().nextRestartAt).toBeUndefined();
  });
});

describe('a drill', () => {
  it('fails when nothing is noticed within a minute, and leaves nothing stopped', async () => {
    await house.start();
    // It stands still, but somehow answers.
    house.agent.drill('hang');
    await house.clock.advance(59 * SECOND);
    expect(house.agent.view().drillResults[0]).toMatchObject({ state: 'running' });
    await house.clock.advance(SECOND);
    expect(house.agent.view().drillResults[0]).toMatchObject({
      state: 'failed',
      note: 'Nothing was noticed within 60 s',
    });
    expect(house.newest().signals).toEqual(['SIGSTOP', 'SIGCONT']);
  });

  it('does not hide an agent that stands still because nothing could kill it', async () => {
    await house.start();
    house.manner.survives = true;
    house.manner.probes = 'silent';
    house.agent.drill('crash');
    await house.clock.advance(10 * SECOND);
    expect(house.agent.state).toBe('unresponsive');
  });

  it('fails when the agent does not come back within a minute', async () => {
    await house.start();
    house.manner.initialize = 'silent';
    house.agent.drill('crash');
    await house.clock.advance(0);
    await house.clock.advance(MINUTE);
    expect(house.agent.view().drillResults[0]).toMatchObject({
      state: 'failed',
      detectMs: 0,
      note: 'It was not ready again within 60 s',
    });
    expect(house.dataOf('agent.drill.ended')).toHaveLength(1);
  });

  it('does not make the failures of the next process harmless', async () => {
    await house.start();
    house.agent.drill('crash');
    for (let i = 0; i < 5; i++) {
      await house.clock.advance(0);
      while (house.agent.state === 'restarting' && house.agent.view().pid === undefined)
        await house.clock.advance(100);
      await house.die();
    }
    await house.clock.advance(0);
    expect(house.agent.view()).toMatchObject({ state: 'crash-loop' });
  });

  it('slow: makes the process stand still in turns', async () => {
    await house.start();
    house.manner.probes = 1800;
    house.agent.drill('slow');
    await house.clock.advance(2 * SECOND);
    expect(house.agent.state).toBe('degraded');
    house.manner.probes = 'answered';
    await house.clock.advance(12 * SECOND);
    expect(house.agent.view()).toMatchObject({ state: 'healthy', generation: 1 });
    expect(house.agent.view().drillResults[0]).toMatchObject({ state: 'recovered', kind: 'slow' });
    expect(house.newest().signals.filter((name) => name === 'SIGSTOP')).toHaveLength(5);
    expect(house.newest().signals.at(-1)).toBe('SIGCONT');
  });

  it('slow: ends with the process going on when the agent is stopped', async () => {
    await house.start();
    house.agent.drill('slow');
    await house.clock.advance(SECOND);
    const { signals } = house.newest();
    await house.agent.stop('Stopped by the user');
    expect(signals).toContain('SIGSTOP');
    expect(house.agent.view().drillResults[0]).toMatchObject({
      state: 'failed',
      note: 'Stopped by the user',
    });
    await house.clock.advance(0);
    expect(house.clock.pending).toBe(0);
  });
});

describe('a configuration that changes', () => {
  const changed = (change: object) => ({
    config: agentConfig.parse({ ...house.agent.config, ...change }),
    version: house.agent.view().version + 1,
  });

  it('changes nothing that runs when it is not about the process', async () => {
    await house.start();
    await house.agent.reconfigure(changed({ name: 'Yours', limits: {}, autostart: false }));
    expect(house.agent.view()).toMatchObject({ name: 'Yours', version: 2, state: 'healthy', generation: 1 });
  });

  it.each([
    { launch: { kind: 'command', command: '/bin/other' } },
    { model: 'openai/other' },
    { mcpServers: [{ type: 'http', name: 'tools', url: 'http://127.0.0.1:1' }] },
  ])('replaces the process when it is: %j', async (change) => {
    await house.start();
    await house.agent.reconfigure(changed(change));
    await house.clock.advance(0);
    expect(house.agent.view()).toMatchObject({ state: 'healthy', generation: 2 });
    expect(house.agent.view().exits[0]).toMatchObject({
      intended: true,
      reason: 'Its configuration has changed',
    });
  });

  it('makes a crashed agent try again, but not a stopped one', async () => {
    house.manner.launch = fault('agent.command_not_found', 'gone');
    await expect(house.agent.begin()).rejects.toBeInstanceOf(CodedError);
    expect(house.agent.state).toBe('crashed');
    delete house.manner.launch;
    await house.agent.reconfigure(changed({ launch: { kind: 'command', command: '/bin/other' } }));
    await house.clock.advance(0);
    expect(house.agent.state).toBe('healthy');
    await house.agent.stop('Stopped by the user');
    await house.agent.reconfigure(changed({ model: 'other' }));
    expect(house.agent.state).toBe('stopped');
  });
});

describe('a configuration that changes meanwhile', () => {
  const other = () => ({
    config: agentConfig.parse({
      ...house.agent.config,
      launch: { kind: 'command', command: '/bin/other' },
    }),
    version: 2,
  });

  it('is what runs, also when it changes in the middle of a start', async () => {
    await house.start();
    await house.agent.stop('Stopped by the user');
    const held = Promise.withResolvers<void>();
    house.manner.launchAfter = held.promise;
    const started = house.agent.start();
    await house.clock.advance(0);
    const changed = house.agent.reconfigure(other());
    held.resolve();
    await Promise.all([started, changed]);
    await house.clock.advance(0);
    expect(house.agent.state).toBe('healthy');
    expect(house.commands.at(-1)).toBe('/bin/other');
  });

  it('does not undo a stop that is under way', async () => {
    await house.start();
    await Promise.all([house.agent.stop('Stopped by the user'), house.agent.reconfigure(other())]);
    await house.clock.advance(0);
    expect(house.agent.view()).toMatchObject({ state: 'stopped', generation: 1 });
    expect(house.kept().desired).toBe('stopped');
  });
});

describe('a start that fails', () => {
  it('is what the user wants all the same, after a restart of the app, too', async () => {
    await house.start();
    await house.agent.stop('Stopped by the user');
    house.manner.launch = fault('agent.command_not_found', 'gone');
    await expect(house.agent.start()).rejects.toMatchObject({ code: 'agent.command_not_found' });
    expect(house.kept().desired).toBe('running');
  });
});

describe('the end of the app', () => {
  it('starts nothing any more, whatever was asked for before or after', async () => {
    await house.start();
    const asked = [house.agent.restart('Once'), house.agent.restart('Twice')];
    const ended = house.agent.shutDown('SmallTalk Console was closed');
    asked.push(house.agent.start(), house.agent.retry('Tried again'));
    const settled = await Promise.allSettled(asked);
    expect(settled.map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    await ended;
    expect(house.agent.view()).toMatchObject({ state: 'stopped', generation: 1 });
    expect(house.commands).toHaveLength(1);
    expect(house.clock.pending).toBe(0);
  });

  it('leaves no timer', async () => {
    await house.start();
    const turn = house.ask();
    await house.clock.advance(6 * MINUTE);
    await house.agent.shutDown('SmallTalk Console was closed');
    await expect(turn).rejects.toMatchObject({ code: 'agent.stopped' });
    expect(house.clock.pending).toBe(0);
  });
});
