import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { openStorage } from '../../storage/open-storage.ts';
import type { AgentUpdate } from '../agents.ts';
import { CLIENT_INFO, type ConnectedAgent, connectAgent } from '../fixtures/connect-agent.ts';
import type { AgentConnectionOptions } from '../protocol/agent-connection.ts';
import { AgentSessionStore } from '../protocol/agent-session-store.ts';

const running: ConnectedAgent[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((agent) => agent.end()));
});

async function echo(args: string[] = [], options: Partial<AgentConnectionOptions> = {}) {
  const agent = await connectAgent(
    [join(import.meta.dirname, 'echo.ts'), '--delay-ms', '0', ...args],
    options,
  );
  running.push(agent);
  await agent.connection.initialize(CLIENT_INFO);
  return agent;
}

const ofKind = <K extends AgentUpdate['kind']>(updates: AgentUpdate[], kind: K) =>
  updates.filter((update): update is Extract<AgentUpdate, { kind: K }> => update.kind === kind);

describe('the commands of echo', () => {
  it('/permission asks, and does what was chosen', async () => {
    const { prompt } = await echo();
    const allowed = prompt('/permission edit');
    await allowed.result;
    expect(allowed.permissions[0]?.request).toMatchObject({
      toolCall: { title: 'Pretend to edit', kind: 'edit', rawInput: { kind: 'edit' } },
      options: [{ kind: 'allow_once' }, { kind: 'allow_always' }, { kind: 'reject_once' }],
    });
    expect(allowed.text()).toBe('You chose “allow”, so I did it.');
    expect(ofKind(allowed.updates, 'tool_call').at(-1)?.toolCall.status).toBe('completed');
    const refused = prompt('/permission', { onPermission: async () => 'reject' });
    await refused.result;
    expect(refused.text()).toBe('You chose “reject”, so I did not.');
    expect(ofKind(refused.updates, 'tool_call').at(-1)?.toolCall).toMatchObject({
      kind: 'execute',
      status: 'failed',
    });
  });

  it('/ask asks with a form', async () => {
    const { prompt } = await echo();
    const turn = prompt('/ask', {
      onQuestion: async ({ fields }) => {
        expect(fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
          'name text',
          'color choice',
          'age integer',
          'pineapple boolean',
        ]);
        return { action: 'accept', values: { name: 'Ada', pineapple: false } };
      },
    });
    await turn.result;
    expect(turn.text()).toBe('You told me {"name":"Ada","pineapple":false}.');
    const declined = prompt('/ask');
    await declined.result;
    expect(declined.text()).toBe('You said decline.');
  });

  it('/diff and /image show what is no text', async () => {
    const { prompt } = await echo();
    const diff = prompt('/diff');
    await diff.result;
    expect(ofKind(diff.updates, 'tool_call')[0]?.toolCall.parts).toMatchObject([
      { type: 'diff', path: '/tmp/poem.txt' },
    ]);
    const image = prompt('/image');
    await image.result;
    const content = ofKind(image.updates, 'content')[0]?.content as { data: string };
    expect(Buffer.from(content.data, 'base64').subarray(1, 4).toString()).toBe('PNG');
  });

  it('/usage tells tokens and dollars before the end of the turn, and a cancel stops it', async () => {
    const { prompt, told } = await echo();
    const usages: number[] = [];
    const turn = prompt('/usage 1000 0.5', { onUsage: ({ outputTokens }) => usages.push(outputTokens) });
    expect(await turn.result).toMatchObject({ usage: { inputTokens: 0, outputTokens: 1000 } });
    expect(usages.slice(0, 10)).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    expect(told.findLast((one) => one.told.cost !== undefined)?.told.cost).toEqual({
      amount: 0.5,
      currency: 'USD',
    });
    const cancelled = prompt('/usage 1000', { onUsage: () => cancelled.cancel() });
    expect(await cancelled.result).toMatchObject({ stopReason: 'cancelled', usage: { outputTokens: 100 } });
  });

  it('/quiet says nothing for a while', async () => {
    const { prompt } = await echo();
    const turn = prompt('/quiet 3600');
    await vi.waitFor(() => expect(turn.updates).toHaveLength(1));
    turn.cancel();
    expect(await turn.result).toMatchObject({ stopReason: 'cancelled' });
    const short = prompt('/quiet 0.05');
    await short.result;
    expect(short.text()).toBe('That was quiet.');
  });
});

describe('what echo offers in a session', () => {
  it('is told when the session is opened, and when it changes', async () => {
    const { prompt, told } = await echo();
    await prompt('hi there').result;
    expect(told[0]).toMatchObject({
      sessionId: 'session-1',
      told: { modes: { currentModeId: 'plain' }, options: [{ id: 'pace', value: 'normal' }] },
    });
    await vi.waitFor(() =>
      expect(told.some((one) => one.told.commands?.some(({ name }) => name === 'permission'))).toBe(true),
    );
    expect(told.findLast((one) => one.told.contextWindow)?.told.contextWindow).toEqual({
      used: 4,
      size: 8000,
    });
    await prompt('/modes').result;
    expect(told.findLast((one) => one.told.modes)?.told.modes?.currentModeId).toBe('loud');
  });

  it('can be set', async () => {
    const { prompt, connection, told } = await echo();
    await expect(connection.setMode('session-1', 'loud')).rejects.toMatchObject({
      code: 'session.mode_unknown',
    });
    await prompt('hi').result;
    await connection.setMode('session-1', 'loud');
    expect(told.at(-1)?.told.modes?.currentModeId).toBe('loud');
    const loud = prompt('hi there');
    await loud.result;
    expect(loud.text()).toBe('HI THERE');
    await connection.setOption('session-1', 'pace', 'fast');
    expect(told.at(-1)?.told.options?.[0]?.value).toBe('fast');
    for (const [option, value] of [
      ['pace', 'reckless'],
      ['pace', true],
      ['model', 'fast'],
    ] as const) {
      await expect(connection.setOption('session-1', option, value)).rejects.toMatchObject({
        code: 'session.mode_unknown',
      });
    }
    await expect(connection.setMode('session-1', 'quiet')).rejects.toMatchObject({
      code: 'session.mode_unknown',
    });
  });

  it('takes attachments and names them', async () => {
    const { prompt } = await echo();
    const bytes = Uint8Array.of(0, 1, 2);
    const turn = prompt('look', { attachments: [{ name: 'a.png', mimeType: 'image/png', bytes }] });
    await turn.result;
    expect(turn.text()).toBe('look\n[image image/png, 4 characters]');
  });
});

describe('echo with a store', () => {
  it('resumes and loads its sessions in a later process', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'smalltalk-echo-'));
    const storage = await openStorage({ type: 'memory', dataDir: folder });
    const sessions = new AgentSessionStore({ storage, clock: systemClock, logger: silentLogger });
    try {
      const first = await echo(['--store', folder], { sessions });
      expect(first.connection.capabilities).toMatchObject({ loadSession: true, resumeSession: true });
      expect(await first.prompt('one two').result).toMatchObject({ knownBy: 'new' });
      await first.connection.process.kill();

      const second = await echo(['--store', folder], { sessions });
      const turn = second.prompt('/history');
      expect(await turn.result).toMatchObject({ knownBy: 'resumed' });
      expect(turn.text()).toBe('I know 1 earlier turn of this session.');
      await second.connection.process.kill();

      const third = await echo(['--store', folder], { sessions });
      // As if it could only load.
      Object.assign(third.connection.capabilities ?? {}, { resumeSession: false });
      const loaded = third.prompt('/history', {
        history: async () => [
          { role: 'user', text: 'one two' },
          { role: 'agent', text: 'one two' },
          { role: 'user', text: '/history' },
          { role: 'agent', text: 'I know 1 earlier turn of this session.' },
        ],
      });
      expect(await loaded.result).toMatchObject({ knownBy: 'loaded' });
      expect(loaded.text()).toBe('I know 2 earlier turns of this session.');
    } finally {
      await storage.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

it('hears of a cancel in the middle of a flood', async () => {
  const { prompt } = await echo();
  const turn = prompt('/flood 100000');
  await vi.waitFor(() => expect(turn.updates.length).toBeGreaterThan(0));
  turn.cancel();
  expect(await turn.result).toMatchObject({ stopReason: 'cancelled' });
  expect(turn.updates.length).toBeLessThan(100_000);
});
