import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentLaunch } from '../../contract/index.ts';
import { resolveLaunch } from './agent-launch.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smalltalk-launch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings = {
  dataDir: '/data',
  openaiApiKey: 'key-of-openai',
  retryMaxAttempts: 3,
  retryBaseDelayMs: 100,
  retryMaxDelayMs: 10_000,
  secrets: ['key-of-openai', 'token-of-ours'],
};

const environment = {
  HOME: '/home/someone',
  API_TOKEN: 'token-of-ours',
  POSTGRES_PASSWORD: 'password-of-ours',
  OPENAI_API_KEY: 'key-of-the-shell',
  GEMINI_API_KEY: 'key-of-the-shell',
};

const resolve = (launch: AgentLaunch, path = '', model?: string) =>
  resolveLaunch(
    { launch, ...(model === undefined ? {} : { model }) },
    { settings, environment: { ...environment, PATH: path } },
  );
const builtin = (program: 'echo' | 'chat', ...args: string[]): AgentLaunch => ({
  kind: 'builtin',
  program,
  args,
});
const commandOf = (command: string, rest: object = {}): AgentLaunch => ({
  kind: 'command',
  command,
  args: ['--acp'],
  env: {},
  ...rest,
});

function file(name: string, mode: number): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, mode);
  return path;
}

describe('the environment', () => {
  it('has no key for an agent that needs none', async () => {
    const { env, args } = await resolve(builtin('echo', '--delay-ms', '5'));
    expect(env).toMatchObject({ HOME: '/home/someone' });
    expect(JSON.stringify(env)).not.toMatch(/key-of|-of-ours/);
    expect(args.slice(-3)).toEqual([expect.stringContaining('echo'), '--delay-ms', '5']);
  });

  it('has the keys of the settings for the chat agent, and only these', async () => {
    const { env, args } = await resolve(builtin('chat'), '', 'openai/some-model');
    expect(env).toMatchObject({ OPENAI_API_KEY: 'key-of-openai', ERROR_RETRY_MAX_ATTEMPTS: '3' });
    expect(env).not.toHaveProperty('GEMINI_API_KEY');
    expect(args.slice(-2)).toEqual(['--model', 'openai/some-model']);
    expect(args.join(' ')).not.toContain('key-of');
  });

  it('has what the user has for an agent of the user’s, but nothing of ours', async () => {
    const path = file('agent', 0o700);
    const launch = commandOf(path, { cwd: folder, env: { MY_TOKEN: 'mine', HOME: '/elsewhere' } });
    const command = await resolve(launch);
    expect(command).toMatchObject({ command: path, args: ['--acp'], cwd: folder });
    expect(command.env).toEqual({
      PATH: '',
      HOME: '/elsewhere',
      MY_TOKEN: 'mine',
      OPENAI_API_KEY: 'key-of-the-shell',
      GEMINI_API_KEY: 'key-of-the-shell',
    });
    expect(command.secrets).toEqual(['key-of-openai', 'token-of-ours', 'mine']);
  });
});

describe('the command', () => {
  it('is the first executable one on the PATH', async () => {
    file('one/agent', 0o600);
    const second = file('two/agent', 0o700);
    file('three/agent', 0o700);
    mkdirSync(join(folder, 'zero', 'agent'), { recursive: true });
    const path = ['zero', 'one', 'two', 'three'].map((name) => join(folder, name)).join(delimiter);
    expect((await resolve(commandOf('agent'), path)).command).toBe(second);
  });

  it('may be relative to the working directory', async () => {
    const path = file('bin/agent', 0o700);
    expect((await resolve(commandOf('./bin/agent', { cwd: folder }))).command).toBe(path);
  });

  it.each([
    ['agent', 'agent.command_not_executable'],
    ['other', 'agent.command_not_found'],
  ])('is refused when it is not there or not executable: %s', async (command, code) => {
    file('one/agent', 0o600);
    await expect(resolve(commandOf(command), join(folder, 'one'))).rejects.toMatchObject({ code });
  });
});
