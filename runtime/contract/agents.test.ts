import { describe, expect, it } from 'vitest';
import { agentConfig, agentLaunch, mcpServer } from './agents.ts';

describe('a launch', () => {
  const command = { kind: 'command', command: 'agent', args: ['acp'], cwd: '/src', env: { KEY: 'value' } };

  it.each([
    ['command', { command: 'a\0b' }],
    ['argument', { args: ['a\0b'] }],
    ['working directory', { cwd: '/s\0rc' }],
    ['variable', { env: { KEY: 'a\0b' } }],
    ['name of a variable', { env: { 'KEY=': 'value' } }],
    ['name of a secret', { env: { KEY: { secret: '../KEY' } } }],
  ])('takes no %s that no process can be started with', (_, change) => {
    expect(agentLaunch.safeParse(command).success).toBe(true);
    expect(agentLaunch.safeParse({ ...command, ...change }).success).toBe(false);
  });
});

describe('an MCP server', () => {
  it.each([
    { type: 'stdio', name: 'files', command: 'a\0b' },
    { type: 'http', name: 'files', url: 'file:///etc/passwd' },
    { type: 'http', name: '', url: 'https://example.com' },
  ])('is refused: %j', (server) => {
    expect(mcpServer.safeParse(server).success).toBe(false);
  });
});

it('is read with the defaults of this version when an older one has stored it', () => {
  const older = { id: 'a', name: 'A', launch: { kind: 'builtin', program: 'echo', args: [] }, createdAt: 1 };
  expect(agentConfig.parse(older)).toEqual({
    ...older,
    description: '',
    mcpServers: [],
    limits: {},
    autostart: true,
  });
});
