import { afterEach, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { fault } from '../../contract/index.ts';
import { CLIENT_INFO, type ConnectedAgent, connectAgent } from '../fixtures/connect-agent.ts';
import { misbehaving } from '../fixtures/start-agents.ts';

let agent: ConnectedAgent;

afterEach(() => agent.end());

/** A connection to an agent in virtual time: nothing times out unless the test says so. */
async function connected(behaviour: string, argument = '') {
  const clock = new VirtualClock();
  agent = await connectAgent(misbehaving(behaviour, argument).args, { clock });
  return { clock, ...agent };
}

it('waits 15 s for the answer to initialize', async () => {
  const { clock, connection } = await connected('never-answers');
  const initialized = connection.initialize(CLIENT_INFO);
  initialized.catch(() => undefined);
  await clock.advance(14_999);
  await expect(Promise.race([initialized, 'waiting'])).resolves.toBe('waiting');
  await clock.advance(1);
  await expect(initialized).rejects.toMatchObject({ code: 'agent.protocol_error' });
});

it('ends a cancelled turn after 5 s without the agent', async () => {
  const { clock, connection, prompt } = await connected('ignores-cancel');
  await connection.initialize(CLIENT_INFO);
  const turn = prompt('go');
  await vi.waitFor(() => expect(turn.updates).toEqual([{ kind: 'text', text: 'never done' }]));
  turn.cancel();
  await clock.advance(4999);
  await expect(Promise.race([turn.result, 'waiting'])).resolves.toBe('waiting');
  await clock.advance(1);
  expect(await turn.result).toEqual({ stopReason: 'cancelled', knownBy: 'new' });
});

it('never mixes what comes after a cancel that was given up into the next turn', async () => {
  const { clock, connection, prompt } = await connected('answers-long-after-the-cancel');
  await connection.initialize(CLIENT_INFO);
  const first = prompt('hang');
  await vi.waitFor(() => expect(first.text()).toBe('working'));
  first.cancel();
  await clock.advance(5000);
  expect(await first.result).toMatchObject({ stopReason: 'cancelled' });
  const second = prompt('next');
  expect(await second.result).toMatchObject({ stopReason: 'end_turn', knownBy: 'new' });
  expect(second.text()).toBe('next');
  expect(first.text()).toBe('working');
});

it('goes on when the taker of an update throws', async () => {
  const { connection, prompt, log } = await connected('repeats');
  await connection.initialize(CLIENT_INFO);
  const turn = prompt('hi', {
    onUpdate: () => {
      throw new Error('no room');
    },
  });
  expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
  expect(log).toContainEqual(expect.objectContaining({ level: 'error', metadata: { error: 'no room' } }));
  await connection.ping();
});

it('takes all that a process has left behind, also when the taker of it is not ready', async () => {
  const { connection, prompt } = await connected('floods-and-dies', '300');
  await connection.initialize(CLIENT_INFO);
  let taken = '';
  const turn = prompt('hi', {
    onUpdate: (update) => {
      if (update.kind === 'text') taken += update.text;
      return new Promise(() => undefined);
    },
  });
  await expect(turn.result).rejects.toMatchObject({ code: 'agent.crashed' });
  expect(taken).toBe(Array.from({ length: 300 }, (_, i) => `${i + 1} `).join(''));
});

it('does not hold it against the agent that nobody reads what it says', async () => {
  const { clock, connection, prompt } = await connected('repeats');
  await connection.initialize(CLIENT_INFO);
  const taken = Promise.withResolvers<void>();
  const turn = prompt('hi', { onUpdate: () => taken.promise });
  await vi.waitFor(async () => {
    await clock.advance(1000);
    expect(connection.lastActivityAt).toBe(clock.monotonic());
  });
  await clock.advance(100_000);
  expect(connection.lastActivityAt).toBe(clock.monotonic());
  taken.resolve();
  expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
  await clock.advance(1000);
  expect(connection.lastActivityAt).toBeLessThan(clock.monotonic());
});

it('tells that the protocol is broken when the agent closes its output and stays', async () => {
  const { clock, connection, broken, prompt } = await connected('closes-its-output');
  await connection.initialize(CLIENT_INFO);
  const turn = prompt('go');
  await vi.waitFor(async () => {
    await clock.advance(2000);
    expect(broken).toEqual([expect.objectContaining({ code: 'agent.protocol_error' })]);
  });
  await expect(turn.result).rejects.toMatchObject({ code: 'agent.protocol_error' });
});

it('rejects what waits with the reason for which the process was ended', async () => {
  const { connection, prompt } = await connected('ignores-cancel');
  await connection.initialize(CLIENT_INFO);
  const turn = prompt('go');
  await vi.waitFor(() => expect(turn.updates).toHaveLength(1));
  await connection.end(fault('agent.unresponsive', 'It was too slow.'), { force: true });
  await expect(turn.result).rejects.toMatchObject({
    code: 'agent.unresponsive',
    message: 'It was too slow.',
  });
  await expect(connection.ping()).rejects.toBeDefined();
});

it('knows an agent without the method for probes to be alive', async () => {
  const { connection } = await connected('repeats');
  await connection.initialize(CLIENT_INFO);
  await expect(connection.ping()).resolves.toBeUndefined();
});
