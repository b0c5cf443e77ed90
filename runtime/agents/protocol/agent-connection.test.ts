import { spawn } from 'node:child_process';
import { afterEach, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { fault } from '../../contract/index.ts';
import { misbehaving } from '../fixtures/start-agents.ts';
import { startAgentProcess } from '../processes/agent-process.ts';
import { AgentConnection } from './agent-connection.ts';

const clientInfo = { name: 'test', version: '0' };

let connection: AgentConnection;

afterEach(async () => {
  await connection.end(fault('agent.stopped', 'The test is over.'), { force: true });
});

/** A connection to an agent in virtual time: nothing times out unless the test says so. */
async function connected(behaviour: string) {
  const clock = new VirtualClock();
  const { command, args } = misbehaving(behaviour);
  const process = await startAgentProcess({
    command: { command, args, cwd: '/', env: {}, secrets: [] },
    spawn,
    clock,
    redact: (text) => text,
  });
  const broken: CodedError[] = [];
  connection = new AgentConnection({
    process,
    cwd: '/',
    clock,
    logger: silentLogger,
    redact: (text) => text,
    onBroken: (reason) => broken.push(reason),
  });
  const updates: unknown[] = [];
  const abort = new AbortController();
  const ask = (text: string) => {
    const result = connection.prompt({
      sessionId: 'session-1',
      turnId: 'turn-1',
      correlationId: 'correlation-1',
      text,
      history: async () => [],
      signal: abort.signal,
      onUpdate: (update) => updates.push(update),
    });
    result.catch(() => undefined);
    return result;
  };
  return { clock, broken, updates, abort, ask };
}

it('waits 15 s for the answer to initialize', async () => {
  const { clock } = await connected('never-answers');
  const initialized = connection.initialize(clientInfo);
  initialized.catch(() => undefined);
  await clock.advance(14_999);
  await expect(Promise.race([initialized, 'waiting'])).resolves.toBe('waiting');
  await clock.advance(1);
  await expect(initialized).rejects.toMatchObject({ code: 'agent.protocol_error' });
});

it('ends a cancelled turn after 5 s without the agent', async () => {
  const { clock, updates, abort, ask } = await connected('ignores-cancel');
  await connection.initialize(clientInfo);
  const result = ask('go');
  await vi.waitFor(() => expect(updates).toEqual([{ kind: 'text', text: 'never done' }]));
  abort.abort();
  await clock.advance(4999);
  await expect(Promise.race([result, 'waiting'])).resolves.toBe('waiting');
  await clock.advance(1);
  expect(await result).toEqual({ stopReason: 'cancelled' });
});

it('tells that the protocol is broken when the agent closes its output and stays', async () => {
  const { clock, broken, ask } = await connected('closes-its-output');
  await connection.initialize(clientInfo);
  const result = ask('go');
  await vi.waitFor(async () => {
    await clock.advance(2000);
    expect(broken).toEqual([expect.objectContaining({ code: 'agent.protocol_error' })]);
  });
  await expect(result).rejects.toMatchObject({ code: 'agent.protocol_error' });
});

it('rejects what waits with the reason for which the process was ended', async () => {
  const { updates, ask } = await connected('ignores-cancel');
  await connection.initialize(clientInfo);
  const result = ask('go');
  await vi.waitFor(() => expect(updates).toHaveLength(1));
  await connection.end(fault('agent.unresponsive', 'It was too slow.'), { force: true });
  await expect(result).rejects.toMatchObject({ code: 'agent.unresponsive', message: 'It was too slow.' });
  await expect(connection.ping()).rejects.toBeDefined();
});

it('knows an agent without the method for probes to be alive', async () => {
  await connected('repeats');
  await connection.initialize(clientInfo);
  await expect(connection.ping()).resolves.toBeUndefined();
});
