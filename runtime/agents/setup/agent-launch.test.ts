import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentLaunch, McpServer } from '../../contract/index.ts';
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

const SECRETS = new Map([
  ['GITHUB', 'value-of-github'],
  ['SEARCH', 'value-of-search'],
]);

/** `path`: what the login shell has. */
const resolve = (launch: AgentLaunch, path = '', rest: { model?: string; mcpServers?: McpServer[] } = {}) =>
  resolveLaunch(
    { launch, ...rest },
    {
      settings,
      environment: { ...environment, PATH: '/of-the-desktop' },
      secrets: { get: async (name) => SECRETS.get(name) },
      searchPath: async () => path.split(delimiter),
    },
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
    const { env, args } = await resolve(builtin('chat'), '', { model: 'openai/some-model' });
    expect(env).toMatchObject({ OPENAI_API_KEY: 'key-of-openai', ERROR_RETRY_MAX_ATTEMPTS: '3' });
    expect(env).not.toHaveProperty('GEMINI_API_KEY');
    expect(args.slice(-2)).toEqual(['--model', 'openai/some-model']);
    expect(args.join(' ')).not.toContain('key-of');
  });

  it('has what the user has for an agent of the user’s, but nothing of ours', async () => {
    const path = file('agent', 0o700);
    const launch = commandOf(path, {
      cwd: folder,
      env: { MY_TOKEN: 'mine-alone', MAX_TOKENS: '4096', HOME: '/elsewhere' },
    });
    const command = await resolve(launch, '/of-the-shell');
    expect(command).toMatchObject({ command: path, args: ['--acp'], cwd: folder });
    expect(command.env).toEqual({
      PATH: '/of-the-shell',
      HOME: '/elsewhere',
      MY_TOKEN: 'mine-alone',
      MAX_TOKENS: '4096',
      OPENAI_API_KEY: 'key-of-the-shell',
      GEMINI_API_KEY: 'key-of-the-shell',
    });
    expect(command.secrets).toEqual(['key-of-openai', 'token-of-ours', 'mine-alone']);
    expect(command.builtin).toBeUndefined();
    expect(command.initializeTimeoutMs).toBeUndefined();
  });

  it('has the PATH of the agent when it has one of its own, and finds the command there', async () => {
    const path = file('own/agent', 0o700);
    const own = join(folder, 'own');
    const command = await resolve(commandOf('agent', { env: { PATH: own } }), '/of-the-shell');
    expect(command).toMatchObject({ command: path, env: { PATH: own } });
  });

  it('has the values of the secrets that it names, which are not to be shown', async () => {
    const launch = commandOf(file('agent', 0o700), {
      env: { GH_AUTH: { secret: 'GITHUB' }, PLAIN: 'plain' },
    });
    const command = await resolve(launch, '', {
      mcpServers: [
        { type: 'http', name: 'm', url: 'https://example.com', headers: { 'x-key': { secret: 'SEARCH' } } },
      ],
    });
    expect(command.env).toMatchObject({ GH_AUTH: 'value-of-github', PLAIN: 'plain' });
    expect(command.secrets).toEqual(['key-of-openai', 'token-of-ours', 'value-of-github', 'value-of-search']);
    expect(JSON.stringify(command.env), 'the agent gets what is meant for it').not.toContain('of-search');
  });

  it('has the values that look like secrets in what its MCP servers are given', async () => {
    const command = await resolve(builtin('echo'), '', {
      mcpServers: [
        {
          type: 'http',
          name: 'a',
          url: 'https://a',
          headers: { Authorization: 'Basic c2VzYW1l', Accept: 'text/plain' },
        },
        {
          type: 'stdio',
          name: 'b',
          command: 'b',
          args: [],
          env: { GITHUB_TOKEN: 'plain-in-sight', HOME: '/home/me' },
        },
      ],
    });
    expect(command.secrets).toEqual([...settings.secrets, 'Basic c2VzYW1l', 'plain-in-sight']);
  });

  it('names all secrets that are missing', async () => {
    const launch = commandOf(file('agent', 0o700), {
      env: { A: { secret: 'ONE' }, B: { secret: 'GITHUB' }, C: { secret: 'TWO' } },
    });
    await expect(resolve(launch)).rejects.toMatchObject({
      code: 'agent.secret_missing',
      data: { names: ['ONE', 'TWO'] },
      message: expect.stringContaining('ONE, TWO'),
    });
  });
});

it('tells what a spare process needs to become a built-in program', async () => {
  const { builtin: told } = await resolve(builtin('chat', '--x'), '', { model: 'openai/m' });
  expect(told).toEqual({ program: 'chat', args: ['--x', '--model', 'openai/m'] });
});

it('waits longer for a command that may have to be fetched first', async () => {
  const command = await resolve(commandOf(file('npx', 0o700)));
  expect(command.initializeTimeoutMs).toBeGreaterThan(60_000);
});

describe('the working directory', () => {
  it('is the home folder unless it is set, and may begin with ~', async () => {
    const path = file('agent', 0o700);
    expect((await resolve(commandOf(path))).cwd).toBe(homedir());
    expect((await resolve(commandOf(path, { cwd: '~' }))).cwd).toBe(homedir());
  });

  it.each(['missing', 'agent'])('must be a folder that is there: %s', async (name) => {
    const path = file('agent', 0o700);
    await expect(resolve(commandOf(path, { cwd: join(folder, name) }))).rejects.toMatchObject({
      code: 'agent.working_directory_missing',
      data: { cwd: join(folder, name) },
    });
  });

  it('must not depend on where the app was started', async () => {
    const launch = commandOf(file('agent', 0o700), { cwd: 'runtime' });
    await expect(resolve(launch)).rejects.toMatchObject({ code: 'agent.working_directory_missing' });
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

  it.each(['gemini', '/opt/gone/gemini'])('says how to install it when it is known: %s', async (command) => {
    await expect(resolve(commandOf(command))).rejects.toMatchObject({
      code: 'agent.command_not_found',
      message: expect.stringContaining('npm install --global @google/gemini-cli'),
      data: { command, recipe: 'gemini-cli' },
    });
  });
});
