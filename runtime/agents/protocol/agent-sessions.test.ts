import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock, VirtualClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { openStorage } from '../../storage/open-storage.ts';
import { CLIENT_INFO, type ConnectedAgent, connectAgent } from '../fixtures/connect-agent.ts';
import { misbehaving } from '../fixtures/start-agents.ts';
import type { AgentConnectionOptions } from './agent-connection.ts';
import { AgentSessionStore } from './agent-session-store.ts';

const HISTORY = [
  { role: 'user' as const, text: 'first question' },
  { role: 'agent' as const, text: 'first answer' },
  { role: 'user' as const, text: 'second question' },
  { role: 'agent' as const, text: 'second answer' },
];
const REPLAY = HISTORY.map(({ role, text }) => [role, text]);
const history = async () => HISTORY;

let agent: ConnectedAgent;
let storage: Awaited<ReturnType<typeof openStorage>>;
let sessions: AgentSessionStore;

beforeEach(async () => {
  storage = await openStorage({ type: 'memory', dataDir: '/' });
  sessions = new AgentSessionStore({ storage, clock: systemClock, logger: silentLogger });
});

afterEach(async () => {
  await agent.end();
  await storage.close();
});

async function initialized(
  behaviour: string,
  argument: unknown = '',
  options: Partial<AgentConnectionOptions> = {},
) {
  const text = typeof argument === 'string' ? argument : JSON.stringify(argument);
  agent = await connectAgent(misbehaving(behaviour, text).args, { sessions, ...options });
  await agent.connection.initialize(CLIENT_INFO);
  return agent;
}

/** As if an earlier process of the agent had had the session. */
const kept = (agentSessionId = 's-old', cwd = '/', agentId = 'agent-1') =>
  sessions.put('session-1', { agentId, agentSessionId, cwd });

const sent = (method: string) =>
  agent.frames
    .list(0)
    .filter((frame) => frame.direction === 'sent' && frame.method === method)
    .map(({ text }) => (JSON.parse(text) as { params: Record<string, unknown> }).params);

describe('a session that the agent keeps on its own', () => {
  it('is written down when the agent can load or resume, and only then', async () => {
    const { prompt } = await initialized('repeats');
    await prompt('hi').result;
    expect(await sessions.get('session-1')).toBeUndefined();
    await agent.end();
    const other = await initialized('resumes-anything');
    expect(await other.prompt('hi').result).toMatchObject({ knownBy: 'new' });
    expect(await sessions.get('session-1')).toMatchObject({
      agentId: 'agent-1',
      agentSessionId: 's1',
      cwd: '/',
    });
  });

  it('is resumed, and then kept', async () => {
    await kept();
    const { prompt } = await initialized('resumes-anything');
    const turn = prompt('third', { history });
    expect(await turn.result).toEqual({ stopReason: 'end_turn', knownBy: 'resumed' });
    expect(turn.text()).toBe('third');
    expect(await prompt('fourth', { history }).result).toMatchObject({ knownBy: 'kept' });
    expect(sent('session/resume')).toMatchObject([{ sessionId: 's-old', cwd: '/', mcpServers: [] }]);
    expect(sent('session/new')).toEqual([]);
  });

  it('is told how it was opened before its first prompt, and then as kept, however that prompt ended', async () => {
    await kept();
    const { prompt } = await initialized('resumes-anything');
    const opened: string[] = [];
    const onOpened = (knownBy: string) => void opened.push(knownBy);
    const first = prompt('third', { history, onOpened });
    first.cancel();
    await first.result;
    expect(opened, 'it was not prompted').toEqual([]);
    await prompt('third', { history, onOpened }).result;
    await prompt('fourth', { history, onOpened }).result;
    expect(opened).toEqual(['resumed', 'kept']);
  });

  it('is loaded, and nothing of what is played back is told as an answer', async () => {
    await kept();
    const { prompt } = await initialized('replays-turns', REPLAY);
    const turn = prompt('third', { history });
    expect(await turn.result).toMatchObject({ knownBy: 'loaded' });
    expect(turn.updates).toEqual([{ kind: 'text', text: 'third' }]);
    expect(sent('session/new')).toEqual([]);
  });

  it('has the options of the answer, which are newer than those that were played back', async () => {
    await kept();
    const { prompt, told } = await initialized('tells-options-on-load', REPLAY);
    expect(await prompt('third', { history }).result).toMatchObject({ knownBy: 'loaded' });
    const values = told.flatMap(({ told: { options } }) => options?.map(({ value }) => value) ?? []);
    expect(values).toEqual(['old', 'new']);
  });

  it('is written down no more when it was forgotten while it was opened', async () => {
    const written = Promise.withResolvers<void>();
    const put = sessions.put.bind(sessions);
    sessions.put = async (...entry) => {
      connection.forgetSession('session-1');
      await put(...entry);
      written.resolve();
    };
    const { prompt, connection } = await initialized('resumes-anything');
    await prompt('hi').result;
    await written.promise;
    await vi.waitFor(async () => expect(await sessions.get('session-1')).toBeUndefined());
  });

  it('is told the newest turns that it has not, before the prompt', async () => {
    await kept();
    const { prompt } = await initialized('replays-turns', REPLAY.slice(0, 2));
    const turn = prompt('third', { history });
    expect(await turn.result).toMatchObject({ knownBy: 'loaded' });
    expect(turn.text()).toMatch(/^<earlier-conversation>/);
    expect(turn.text()).toContain('<user>\nsecond question\n</user>\n<agent>\nsecond answer\n</agent>');
    expect(turn.text()).not.toContain('first');
    expect(turn.text()).toMatch(/third$/);
  });

  it('is loaded from an agent that answers first, plays back then, and puts in what nobody said', async () => {
    await kept();
    const [first, firstAnswer, second, secondAnswer] = REPLAY;
    const { prompt } = await initialized('replays-late', [
      ['user', '<session_context>\nThis is where you work.\n</session_context>'],
      first,
      firstAnswer,
      second,
      ['user', '[Function Response: run_shell_command]'],
      secondAnswer,
    ]);
    const turn = prompt('third', { history });
    expect(await turn.result).toMatchObject({ knownBy: 'loaded' });
    // Nothing of the replay is taken for the answer, and nothing is told again.
    expect(turn.text()).toBe('third');
  });

  it('is left for a new one when it contradicts what is known', async () => {
    await kept();
    const { prompt, log } = await initialized('replays-turns', [...REPLAY, ['user', 'never said']]);
    const turn = prompt('third', { history });
    expect(await turn.result).toMatchObject({ knownBy: 'primed' });
    expect(turn.text()).toContain('first question');
    expect(turn.text()).not.toContain('never said');
    expect(log.some(({ level, message }) => level === 'warn' && message.includes('another session'))).toBe(
      true,
    );
    expect(await sessions.get('session-1')).toMatchObject({ agentSessionId: 's1' });
    expect(sent('session/close')).toMatchObject([{ sessionId: 's-old' }]);
  });

  it('is primed when the agent knows nothing of it by either way', async () => {
    await kept();
    const { prompt } = await initialized('resumes-nothing');
    expect(await prompt('third', { history }).result).toMatchObject({ knownBy: 'primed' });
    expect(sent('session/resume')).toHaveLength(1);
    expect(sent('session/load')).toHaveLength(1);
    expect(await sessions.get('session-1')).toMatchObject({ agentSessionId: 's1' });
  });

  it.each([
    ['another folder', '/elsewhere', 'agent-1'],
    ['another agent', '/', 'agent-2'],
  ])('is not the session of %s', async (_of, cwd, agentId) => {
    await kept('s-old', cwd, agentId);
    const { prompt } = await initialized('resumes-anything');
    expect(await prompt('third', { history }).result).toMatchObject({ knownBy: 'primed' });
    expect(sent('session/resume')).toEqual([]);
  });

  it('does not come back once it is forgotten', async () => {
    const { prompt, connection } = await initialized('resumes-anything');
    await prompt('first').result;
    connection.forgetAllSessions();
    expect(await prompt('second', { history }).result).toMatchObject({ knownBy: 'primed' });
    expect(sent('session/resume')).toEqual([]);
    connection.forgetSession('session-1');
    connection.forgetSession('session-never-heard-of');
    await vi.waitFor(async () => expect(await sessions.get('session-1')).toBeUndefined());
  });

  it('that cannot be looked up is primed: the storage is no reason not to answer', async () => {
    await storage.close();
    const { prompt } = await initialized('resumes-anything');
    expect(await prompt('third', { history }).result).toMatchObject({ knownBy: 'primed' });
  });
});

it('the store forgets all sessions when the data was switched', async () => {
  for (let i = 0; i < 1200; i++) {
    await sessions.put(`s${i}`, { agentId: 'a', agentSessionId: 'b', cwd: '/' });
  }
  await sessions.clear();
  expect((await storage.stats()).documents.agent_sessions ?? 0).toBe(0);
  agent = await connectAgent(['-e', '']);
});

describe('a new session', () => {
  it('is opened once for two prompts at once', async () => {
    const { prompt } = await initialized('repeats');
    await Promise.all([prompt('a').result, prompt('b').result]);
    expect(sent('session/new')).toHaveLength(1);
  });

  it('is given the MCP servers that the agent can take', async () => {
    const { prompt, log } = await initialized('repeats', '', {
      mcpServers: [
        { name: 'files', command: '/bin/files', args: ['-x'], env: [{ name: 'A', value: 'b' }] },
        { type: 'http', name: 'web', url: 'http://localhost', headers: [] },
      ],
    });
    await prompt('hi').result;
    expect(sent('session/new')).toMatchObject([
      {
        mcpServers: [
          { name: 'files', command: '/bin/files', args: ['-x'], env: [{ name: 'A', value: 'b' }] },
        ],
      },
    ]);
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'warn', metadata: { server: 'web', type: 'http' } }),
    );
  });

  it('may be told of before the answer that opens it', async () => {
    const { prompt, told } = await initialized('tells-early');
    await prompt('hi').result;
    expect(told).toEqual([{ sessionId: 'session-1', told: { commands: [{ name: 'go', description: '' }] } }]);
  });

  it('that does not come within 2 minutes fails the turn, and a cancel does not wait for it', async () => {
    const clock = new VirtualClock();
    const { prompt } = await initialized('opens-no-session', '', { clock });
    const cancelled = prompt('hi');
    cancelled.cancel();
    expect(await cancelled.result).toEqual({ stopReason: 'cancelled' });
    const turn = prompt('hi');
    await vi.waitFor(() => expect(sent('session/new')).toHaveLength(1));
    await clock.advance(120_000);
    await expect(turn.result).rejects.toMatchObject({ code: 'agent.protocol_error' });
  });
});

it('a session that the agent has lost fails the turn; the next prompt finds a new one, primed', async () => {
  const { prompt } = await initialized('loses-sessions');
  await prompt('first').result;
  const lost = prompt('lose it', { history });
  await expect(lost.result).rejects.toMatchObject({ code: 'agent.failed' });
  const turn = prompt('third', { history });
  expect(await turn.result).toMatchObject({ knownBy: 'primed' });
  expect(sent('session/new')).toHaveLength(2);
});

describe('an agent that needs a login', () => {
  it('shows no secret in what it says of itself', async () => {
    const { connection } = await initialized('needs-login', '', {
      command: { command: '/opt/my agent', args: ['--key', 'hunter2'] },
      redact: (text) => text.replaceAll(/Shy|shy|1\.2\.3|web|hunter2/g, '•••'),
    });
    expect(connection.agentInfo).toEqual({ name: '•••', title: '•••', version: '•••' });
    expect(connection.authMethods).toMatchObject([
      // By its id the agent is asked for it.
      { id: 'web', name: 'The •••' },
      { id: 'shell', command: expect.stringContaining('--key •••') },
    ]);
  });

  it('says so with its ways, and works once it was logged in to', async () => {
    const { connection, prompt } = await initialized('needs-login', '', {
      command: { command: '/opt/my agent', args: ['--acp'] },
    });
    expect(connection.agentInfo).toEqual({ name: 'shy', title: 'Shy', version: '1.2.3' });
    expect(connection.authMethods).toEqual([
      { id: 'web', name: 'The web', type: 'agent' },
      { id: 'shell', name: 'A shell', type: 'terminal', command: "MODE=x '/opt/my agent' --acp login 'a b'" },
    ]);
    await expect(prompt('hi').result).rejects.toMatchObject({
      code: 'agent.login_needed',
      message: `The agent needs a login: Authentication required. On its page here: “The web”. In a terminal: “A shell” with MODE=x '/opt/my agent' --acp login 'a b'.`,
    });
    await expect(connection.authenticate('none')).rejects.toMatchObject({
      code: 'agent.auth_method_unknown',
    });
    await expect(connection.authenticate('shell')).rejects.toMatchObject({
      code: 'agent.auth_method_unknown',
      message: expect.stringContaining('terminal'),
    });
    await connection.authenticate('web');
    expect(await prompt('hi').result).toMatchObject({ stopReason: 'end_turn' });
  });
});
