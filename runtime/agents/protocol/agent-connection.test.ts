import { afterEach, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { fault } from '../../contract/index.ts';
import { CLIENT_INFO, type ConnectedAgent, connectAgent } from '../fixtures/connect-agent.ts';
import { misbehaving } from '../fixtures/start-agents.ts';

let agent: ConnectedAgent;

afterEach(() => agent.end());

/** A connection to an agent in virtual time: nothing times out unless the test says so. */
async function connected(behaviour: string) {
  const clock = new VirtualClock();
  agent = await connectAgent(misbehaving(behaviour).args, { clock });
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
