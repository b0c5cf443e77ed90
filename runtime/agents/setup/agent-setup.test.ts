import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, systemClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { silentLogger } from '../../base/logger.ts';
import { type AgentConfig, type AgentLaunch, agentConfig } from '../../contract/index.ts';
import { createAgentProcesses } from '../processes/agent-processes.ts';
import { createAgentSetup } from './agent-setup.ts';
import type { SearchPath } from './search-path.ts';

let folder: string;
let pids: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smalltalk-setup-'));
  pids = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Time whose limits come thirty times sooner: the 15 s for `initialize` in half a second. */
const hurried: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / 30, run) };

const found =
  (...folders: string[]) =>
  async (): Promise<SearchPath> => ({ folders, from: 'login-shell' });

function openSetup(
  options: { clock?: Clock; probeTimeoutMs?: number; read?: () => Promise<SearchPath> } = {},
) {
  const { clock = systemClock, probeTimeoutMs = 5000 } = options;
  const get = options.read ?? found(folder, '/usr/bin', '/bin');
  const processes = createAgentProcesses({
    dataDir: folder,
    clock,
    logger: silentLogger,
    makeId: randomId,
    spawn(command, args, spawnOptions) {
      const child = spawn(command, args, spawnOptions);
      if (child.pid !== undefined) pids.push(child.pid);
      return child;
    },
  });
  return createAgentSetup({
    settings: {
      dataDir: folder,
      livenessProbeTimeoutMs: probeTimeoutMs,
      retryMaxAttempts: 3,
      retryBaseDelayMs: 100,
      retryMaxDelayMs: 10_000,
      secrets: [],
    },
    environment: { HOME: folder, PATH: process.env.PATH },
    secrets: { get: async (name) => (name === 'KEPT' ? 'the-kept-value' : undefined) },
    searchPath: async () => (await get()).folders,
    searchPaths: { get, refresh: get },
    processes,
    clock,
    logger: silentLogger,
    makeId: randomId,
    clientInfo: { name: 'smalltalk-console-test', version: '0.0.0' },
  });
}

const misbehaving = (behaviour: string, ...args: string[]): Extract<AgentLaunch, { kind: 'command' }> => ({
  kind: 'command',
  command: process.execPath,
  args: [join(import.meta.dirname, '..', 'fixtures', 'misbehaving-agent.ts'), behaviour, ...args],
  env: {},
});
const script = (name: string, text: string, mode = 0o700): AgentLaunch => {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), mode);
  return { kind: 'command', command: join(folder, name), args: [], env: {} };
};
const never = new AbortController().signal;
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const expectNoProcessLeft = () => expect(pids.filter(isAlive)).toEqual([]);

describe('a test', () => {
  it('says what a good agent told, and ends it', async () => {
    const launch: AgentLaunch = { kind: 'builtin', program: 'echo', args: [] };
    const result = await openSetup().test({ launch }, never);
    expect(result).toMatchObject({
      ok: true,
      command: process.execPath,
      protocolVersion: 1,
      agentInfo: { name: expect.any(String), version: expect.any(String) },
      capabilities: { image: expect.any(Boolean), loadSession: expect.any(Boolean) },
      isProbed: true,
    });
    expect(result.error).toBeUndefined();
    expect(result.durationMs).toBeGreaterThan(0);
    expect(pids).toHaveLength(1);
    expectNoProcessLeft();
  });

  it('finds an agent by its name, with secrets filled in and kept out of what is shown', async () => {
    script('my-agent', `#!/bin/sh\necho "key $TOKEN" >&2\nexec "${process.execPath}" "$@"\n`);
    const launch: AgentLaunch = {
      ...misbehaving('repeats'),
      command: 'my-agent',
      env: { TOKEN: { secret: 'KEPT' } },
    };
    const result = await openSetup().test({ launch }, never);
    expect(result).toMatchObject({ ok: true, command: join(folder, 'my-agent'), isProbed: true });
    expect(result.stderr).toBe('key •••');
    expectNoProcessLeft();
  });

  it('takes noise on stdout as it comes', async () => {
    const result = await openSetup().test({ launch: misbehaving('writes-noise') }, never);
    expect(result).toMatchObject({ ok: true });
  });

  it('says that an agent answers no probes', async () => {
    const result = await openSetup({ probeTimeoutMs: 50 }).test(
      { launch: misbehaving('answers-no-probes') },
      never,
    );
    expect(result).toMatchObject({ ok: true, isProbed: false });
    expectNoProcessLeft();
  });

  it('ends an agent that ignores that, too', async () => {
    const result = await openSetup().test({ launch: misbehaving('ignores-the-end') }, never);
    expect(result).toMatchObject({ ok: true });
    expectNoProcessLeft();
  });

  it.each<[string, () => AgentLaunch, string]>([
    [
      'a missing command',
      () => ({ kind: 'command', command: 'no-such', args: [], env: {} }),
      'agent.command_not_found',
    ],
    [
      'a file that is not executable',
      () => script('agent', '#!/bin/sh\n', 0o600),
      'agent.command_not_executable',
    ],
    ['a file of no known format', () => script('agent', '\u0000\u0001'), 'agent.crashed'],
    [
      'a missing working directory',
      () => ({ ...misbehaving('repeats'), cwd: join(folder, 'gone') }),
      'agent.working_directory_missing',
    ],
    [
      'a missing secret',
      () => ({ ...misbehaving('repeats'), env: { A: { secret: 'NONE' } } }),
      'agent.secret_missing',
    ],
    ['another version', () => misbehaving('speaks-version', '99'), 'agent.protocol_error'],
    ['an exit during initialize', () => misbehaving('exits-in-initialize', '7'), 'agent.crashed'],
    ['an exit at once', () => script('agent', '#!/bin/sh\necho broken >&2\nexit 4\n'), 'agent.crashed'],
  ])('says what is wrong, and leaves nothing running: %s', async (_, launch, code) => {
    const result = await openSetup().test({ launch: launch() }, never);
    expect(result).toMatchObject({ ok: false, error: { code, message: expect.stringMatching(/\w/) } });
    expectNoProcessLeft();
  });

  it.each<[string, () => AgentLaunch]>([
    ['an agent that never answers', () => misbehaving('never-answers')],
    ['garbage', () => script('agent', '#!/bin/sh\nprintf "\\001\\377{]}\\n<html>\\n"\ncat >/dev/null\n')],
    ['one endless line', () => script('agent', '#!/bin/sh\ntr "\\0" x </dev/zero\n')],
    ['a closed output', () => script('agent', '#!/bin/sh\nexec >&-\nsleep 600\n')],
  ])('does not wait for ever, and leaves nothing running: %s', async (_, launch) => {
    const result = await openSetup({ clock: hurried }).test({ launch: launch() }, never);
    expect(result).toMatchObject({ ok: false, error: { code: 'agent.protocol_error' } });
    expectNoProcessLeft();
  });

  it('has the last words of a process that failed', async () => {
    const launch = script('agent', '#!/bin/sh\necho "no licence found" >&2\nexit 4\n');
    const result = await openSetup().test({ launch }, never);
    expect(result.stderr).toBe('no licence found');
    expect(result.error?.message).toContain('4');
  });

  it('has the version that a foreign agent told', async () => {
    const result = await openSetup().test({ launch: misbehaving('speaks-version', '99') }, never);
    expect(result).toMatchObject({ protocolVersion: 99, error: { message: expect.stringContaining('99') } });
  });

  it('ends the process as soon as nobody waits any more', async () => {
    const abort = new AbortController();
    const tested = openSetup().test({ launch: misbehaving('never-answers') }, abort.signal);
    tested.catch(() => undefined);
    await vi.waitFor(() => expect(pids).toHaveLength(1));
    abort.abort(new Error('the page was closed'));
    await expect(tested).rejects.toThrow('the page was closed');
    expectNoProcessLeft();
  });

  it('starts nothing when nobody waits from the first', async () => {
    await expect(
      openSetup().test({ launch: misbehaving('repeats') }, AbortSignal.abort(new Error('gone'))),
    ).rejects.toThrow('gone');
    expect(pids).toEqual([]);
  });
});

describe('detection', () => {
  const present = (...names: string[]) => {
    mkdirSync(folder, { recursive: true });
    for (const name of names) script(name, '#!/bin/sh\necho started > "$0.started"\n');
  };
  const detect = async (configured: AgentConfig[] = []) => {
    const { items, ...rest } = await openSetup({ read: found(folder) }).detect(configured, never);
    return { ...rest, items, of: (id: string) => items.find(({ recipe }) => recipe === id) };
  };
  const configured = (id: string, launch: AgentLaunch) =>
    agentConfig.parse({ id, name: id, launch, createdAt: 1 });

  it('finds what is in the folders, first of all, and starts nothing', async () => {
    present('goose', 'gemini');
    script('qwen', '', 0o600);
    const { items, path, pathFrom, of } = await detect();
    expect({ path, pathFrom }).toEqual({ path: [folder], pathFrom: 'login-shell' });
    expect(items.filter(({ found }) => found).map(({ recipe }) => recipe)).toEqual(['gemini-cli', 'goose']);
    expect(items.slice(0, 2).every(({ found }) => found)).toBe(true);
    expect(of('goose')).toMatchObject({
      launch: { kind: 'command', command: 'goose', args: ['acp'], env: {} },
      install: expect.any(String),
      login: expect.any(String),
      source: expect.stringContaining('https://'),
    });
    expect(of('qwen-code')).toMatchObject({ found: false });
    expect(of('qwen-code')).not.toHaveProperty('launch');
    expect(pids).toEqual([]);
  });

  it('offers an adapter that has to be fetched only to those who have its agent', async () => {
    present('npx');
    expect((await detect()).items.filter(({ found }) => found)).toEqual([]);
    present('claude');
    expect((await detect()).of('claude-code')?.launch).toMatchObject({
      command: 'npx',
      args: ['--yes', expect.stringMatching(/claude-agent-acp@\d/)],
    });
    present('claude-agent-acp');
    expect((await detect()).of('claude-code')?.launch).toMatchObject({
      command: 'claude-agent-acp',
      args: [],
    });
  });

  it('marks the agents that are configured already', async () => {
    const launch: AgentLaunch = {
      kind: 'command',
      command: '/opt/tools/goose',
      args: ['acp', '--with-builtin', 'developer'],
      env: {},
    };
    const { of } = await detect([
      configured('echo', { kind: 'builtin', program: 'echo', args: [] }),
      configured('my-goose', launch),
    ]);
    expect(of('goose')).toMatchObject({ agentId: 'my-goose', found: false });
    expect(of('gemini-cli')).not.toHaveProperty('agentId');
  });

  it('stops when nobody waits any more', async () => {
    const abort = new AbortController();
    const detected = openSetup({ read: () => new Promise(() => undefined) }).detect([], abort.signal);
    abort.abort(new Error('gone'));
    await expect(detected).rejects.toThrow('gone');
  });
});
