import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { McpServer } from '../../contract/index.ts';
import { resolveMcpServers } from './mcp-servers.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smalltalk-mcp-'));
  writeFileSync(join(folder, 'server'), '#!/bin/sh\n');
  chmodSync(join(folder, 'server'), 0o700);
});
afterEach(() => rmSync(folder, { recursive: true }));

const resolve = (...mcpServers: McpServer[]) =>
  resolveMcpServers(
    { launch: { kind: 'builtin', program: 'echo', args: [] }, mcpServers },
    {
      secrets: { get: async (name) => (name === 'KEY' ? 'value-of-key' : undefined) },
      searchPath: async () => [folder],
    },
  );
const stdio = (command: string): McpServer => ({
  type: 'stdio',
  name: 'files',
  command,
  args: ['--all'],
  env: { MODE: 'fast', TOKEN: { secret: 'KEY' } },
});

it('says them as ACP does, with the values of the secrets', async () => {
  expect(
    await resolve(stdio('server'), {
      type: 'sse',
      name: 'search',
      url: 'https://example.com/mcp',
      headers: { authorization: { secret: 'KEY' }, accept: '*/*' },
    }),
  ).toEqual([
    {
      name: 'files',
      command: join(folder, 'server'),
      args: ['--all'],
      env: [
        { name: 'MODE', value: 'fast' },
        { name: 'TOKEN', value: 'value-of-key' },
      ],
    },
    {
      type: 'sse',
      name: 'search',
      url: 'https://example.com/mcp',
      headers: [
        { name: 'authorization', value: 'value-of-key' },
        { name: 'accept', value: '*/*' },
      ],
    },
  ]);
});

it.each([
  ['gone', 'gone'],
  ['/opt/server', '/opt/server'],
  ['~/server', join(homedir(), 'server')],
])('leaves a command that is not found, or is a path, to the agent: %s', async (command, expected) => {
  expect(await resolve(stdio(command))).toMatchObject([{ command: expected }]);
});

it('refuses a server that names a secret that is not there', async () => {
  const server: McpServer = {
    type: 'http',
    name: 'm',
    url: 'https://example.com',
    headers: { k: { secret: 'NONE' } },
  };
  await expect(resolve(server)).rejects.toMatchObject({
    code: 'agent.secret_missing',
    data: { names: ['NONE'] },
  });
});
