/** What agents do wrong on the wire, each against a real process that does it. The other wrongs are tests of their rooms. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRedactor } from '../../settings/redact.ts';
import { CLIENT_INFO, type ConnectedAgent, connectAgent } from '../fixtures/connect-agent.ts';
import { misbehaving } from '../fixtures/start-agents.ts';
import type { AgentConnectionOptions } from './agent-connection.ts';

let agent: ConnectedAgent;

afterEach(() => agent.end());

async function launched(behaviour: string, argument = '', options: Partial<AgentConnectionOptions> = {}) {
  agent = await connectAgent(misbehaving(behaviour, argument).args, options);
  return agent;
}

async function initialized(...parameters: Parameters<typeof launched>) {
  const launchedAgent = await launched(...parameters);
  await launchedAgent.connection.initialize(CLIENT_INFO);
  return launchedAgent;
}

const stderr = () => agent.connection.process.stderr;

describe('in initialize', () => {
  it('a program that is no agent is told by what it wrote, without its secrets', async () => {
    const { connection } = await launched('is-no-agent', 'sesame', {
      initializeTimeoutMs: 1500,
      redact: createRedactor([]),
    });
    await expect(connection.initialize(CLIENT_INFO)).rejects.toMatchObject({
      code: 'agent.protocol_error',
      message: expect.stringMatching(
        /^It did not answer initialize within 1.5 s\. Is it an ACP agent\? It wrote: “password=•••”\.$/,
      ),
    });
  });

  it('a program whose line is long is told by its beginning, without the secret that the end of that cuts', async () => {
    const secret = 'correct horse battery staple '.repeat(20).trim();
    const line = `${'~'.repeat(450)}${secret}${'+'.repeat(20_000)}`;
    agent = await connectAgent(['-e', 'console.log(process.argv[1]); setInterval(() => {}, 1000)', line], {
      redact: createRedactor([secret]),
    });
    await vi.waitFor(() =>
      expect(agent.frames.list(0).some(({ direction }) => direction === 'noise')).toBe(true),
    );
    const frame = agent.frames.list(0).find(({ direction }) => direction === 'noise');
    expect(frame).toMatchObject({ bytes: line.length, text: expect.stringMatching(/^~{450}•••\+*$/) });
    const logged = agent.log.map(({ metadata }) => (metadata as { line?: string }).line ?? '').join('');
    expect(logged).toMatch(/^~{450}•••\+*$/);
    expect(logged).toHaveLength(500);
  });

  it('a program that repeats what it reads, such as cat, is no agent', async () => {
    agent = await connectAgent(['-e', 'process.stdin.pipe(process.stdout)']);
    await expect(agent.connection.initialize(CLIENT_INFO)).rejects.toMatchObject({
      code: 'agent.protocol_error',
      message: expect.stringContaining('does not know the method initialize. Is it an ACP agent?'),
    });
  });

  it('one that exits is told by its exit code', async () => {
    const { connection } = await launched('exits-in-initialize', '7');
    await expect(connection.initialize(CLIENT_INFO)).rejects.toMatchObject({
      code: 'agent.crashed',
      data: { code: 7 },
    });
  });

  it.each(['0', '2', '1.5', '"2024-11-05"'])('one that speaks version %s is told so', async (version) => {
    const { connection } = await launched('speaks-version', version);
    await expect(connection.initialize(CLIENT_INFO)).rejects.toMatchObject({ code: 'agent.protocol_error' });
  });
});

describe('in a turn', () => {
  it('answers with other ids are for nobody', async () => {
    const { prompt, log } = await initialized('answers-a-wrong-id');
    expect(await prompt('hi').result).toMatchObject({ stopReason: 'end_turn' });
    const stray = log.filter(({ message }) => message.includes('belongs to nothing'));
    expect(stray).toHaveLength(2);
  });

  it('a second and a third answer change nothing, in this turn and in the next', async () => {
    const { prompt, connection } = await initialized('answers-twice');
    expect(await prompt('one').result).toMatchObject({ stopReason: 'end_turn' });
    const second = prompt('two');
    expect(await second.result).toMatchObject({ stopReason: 'end_turn' });
    expect(second.text()).toBe('two');
    await connection.ping();
  });

  it('an answer that is no answer fails the turn, not the agent', async () => {
    const { prompt, connection } = await initialized('answers-malformed');
    await expect(prompt('hi').result).rejects.toMatchObject({ code: 'agent.protocol_error' });
    await connection.ping();
  });

  it('a message of 50 MB breaks the protocol, and the turn is told so', async () => {
    const { prompt, broken } = await initialized('sends-too-much');
    await expect(prompt('hi').result).rejects.toMatchObject({
      code: 'agent.protocol_error',
      message: expect.stringContaining('32 MiB'),
    });
    expect(broken).toEqual([expect.objectContaining({ code: 'agent.protocol_error' })]);
  });

  it('a line that the end of the process cuts off is dropped, and what came before it is kept', async () => {
    const { prompt, frames } = await initialized('cuts-a-line-off');
    const turn = prompt('hi');
    await expect(turn.result).rejects.toMatchObject({ code: 'agent.crashed' });
    expect(turn.text()).toBe('whole');
    expect(frames.list(0).at(-1)).toMatchObject({
      direction: 'noise',
      text: '{"jsonrpc":"2.0","method":"session/up',
    });
  });

  it('what is told of another session, or of none, is dropped', async () => {
    const { prompt, log } = await initialized('tells-of-another-session');
    const turn = prompt('mine');
    expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
    expect(turn.updates).toEqual([{ kind: 'text', text: 'mine' }]);
    expect(log.filter(({ message }) => message.includes('session that is not open'))).toHaveLength(3);
  });

  it('a flood is taken whole and in order', async () => {
    const { prompt } = await initialized('floods', '20000');
    const turn = prompt('go');
    expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
    expect(turn.updates).toHaveLength(20_000);
    expect(turn.text()).toBe(Array.from({ length: 20_000 }, (_, i) => `${i + 1} `).join(''));
  });

  it('a flood waits in the agent while its taker is slow, and a cancel ends the waiting', async () => {
    const { prompt } = await initialized('floods', '20000');
    const taken: unknown[] = [];
    const never = new Promise<void>(() => undefined);
    const turn = prompt('go', {
      onUpdate: (update) => {
        taken.push(update);
        return never;
      },
    });
    await vi.waitFor(() => expect(taken).toHaveLength(1));
    turn.cancel();
    // It says that it has come to its end; it was asked to stop before.
    expect(await turn.result).toMatchObject({ stopReason: 'cancelled' });
    expect(taken).toHaveLength(20_000);
  });
});

describe('a permission', () => {
  it('that is asked for after the turn, or in another session, is answered with cancelled', async () => {
    const { prompt, log } = await initialized('asks-after-the-turn');
    const turn = prompt('hi');
    expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
    await vi.waitFor(() => {
      expect(stderr()).toContain('late:{"outcome":{"outcome":"cancelled"}}');
      expect(stderr()).toContain('foreign:{"outcome":{"outcome":"cancelled"}}');
    });
    expect(turn.permissions).toEqual([]);
    expect(log.filter(({ level }) => level === 'warn')).toHaveLength(2);
  });

  it('that is asked for twice with one id is asked once and answered once', async () => {
    const { prompt, frames } = await initialized('asks-twice');
    const received = () =>
      frames
        .list(0)
        .filter(
          ({ direction, method }) => direction === 'received' && method === 'session/request_permission',
        );
    let asked = 0;
    const turn = prompt('hi', {
      onPermission: async () => {
        asked += 1;
        await vi.waitFor(() => expect(received()).toHaveLength(2));
        return 'yes';
      },
    });
    await turn.result;
    expect(asked).toBe(1);
    expect(turn.text()).toBe('{"outcome":{"outcome":"selected","optionId":"yes"}}');
  });

  it('without options is answered with cancelled', async () => {
    const { prompt } = await initialized('asks-nonsense');
    const turn = prompt('hi');
    await turn.result;
    expect(turn.permissions).toEqual([]);
    expect(turn.text()).toBe('{"outcome":{"outcome":"cancelled"}}');
  });

  it('that the agent asks for to read a file is refused: it reads on its own', async () => {
    const { prompt } = await initialized('asks-for-a-file');
    const turn = prompt('hi');
    await turn.result;
    expect(JSON.parse(turn.text())).toMatchObject({ code: -32601 });
  });
});

describe('a cancel', () => {
  it('is told after all that was asked has been answered with cancelled', async () => {
    const { prompt } = await initialized('asks-until-cancelled');
    const asked: AbortSignal[] = [];
    const turn = prompt('hi', {
      onPermission: (_request, signal) => {
        asked.push(signal);
        return new Promise(() => undefined);
      },
    });
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    turn.cancel();
    expect(await turn.result).toMatchObject({ stopReason: 'cancelled' });
    const cancelled = '{"outcome":{"outcome":"cancelled"}}';
    expect(turn.text()).toBe(`answers before the cancel: 900:${cancelled} 901:${cancelled}`);
    expect(asked.every(({ aborted }) => aborted)).toBe(true);
  });

  it('that is answered with an error is a cancel all the same', async () => {
    const { prompt } = await initialized('answers-after-the-cancel');
    const turn = prompt('hi');
    await vi.waitFor(() => expect(turn.text()).toBe('working'));
    turn.cancel();
    expect(await turn.result).toMatchObject({ stopReason: 'cancelled' });
    expect(turn.text()).toBe('workingstill at it');
  });
});
