import { describe, expect, it } from 'vitest';
import { agentLaunch } from '../../contract/index.ts';
import { mayFetch, RECIPES, RECIPES_CHECKED_ON, recipeOfCommand, recipeOfLaunch } from './recipes.ts';

it('says when the recipes were checked, and where each comes from', () => {
  expect(new Date(RECIPES_CHECKED_ON).toISOString().slice(0, 10)).toBe(RECIPES_CHECKED_ON);
  for (const { id, source, website, install, login } of RECIPES) {
    expect(new URL(source).protocol, id).toBe('https:');
    expect(new URL(website).protocol, id).toBe('https:');
    expect(install, id).not.toBe('');
    expect(login, id).not.toBe('');
  }
});

it('has each recipe and each command line once', () => {
  const ids = RECIPES.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const lines = RECIPES.flatMap(({ commands }) =>
    commands.map(({ command, args }) => [command, ...args].join(' ')),
  );
  expect(new Set(lines).size).toBe(lines.length);
});

it('has only command lines that an agent can be configured with', () => {
  for (const { commands } of RECIPES) {
    for (const { command, args, env = {} } of commands) {
      expect(agentLaunch.safeParse({ kind: 'command', command, args, env }).success, command).toBe(true);
    }
  }
});

it('fetches only exact versions, and only for those who have the agent', () => {
  for (const { commands } of RECIPES) {
    for (const way of commands.filter(({ command }) => mayFetch(command))) {
      expect(way.args.at(-1)).toMatch(/.@\d+\.\d+\.\d+$/);
      expect(way.with).toBeDefined();
    }
  }
});

describe('the recipe of a command', () => {
  it.each([
    ['gemini', 'gemini-cli'],
    ['/usr/local/bin/goose', 'goose'],
    ['C:\\Tools\\opencode.exe', 'opencode'],
    ['claude', 'claude-code'],
    ['npx', undefined],
    ['ls', undefined],
  ])('%s: %s', (command, id) => {
    expect(recipeOfCommand(command)?.id).toBe(id);
  });

  it.each([
    ['npx', ['-y', '@agentclientprotocol/claude-agent-acp@0.1.2'], 'claude-code'],
    ['npx', ['@agentclientprotocol/codex-acp'], 'codex'],
    ['npx', ['--yes', 'something-else@1.0.0'], undefined],
    ['/home/me/.opencode/bin/opencode', ['acp', '--cwd', '/src'], 'opencode'],
    ['opencode', ['serve'], undefined],
    ['gemini', ['--acp', '--yolo'], 'gemini-cli'],
  ])('%s %j: %s', (command, args, id) => {
    expect(recipeOfLaunch({ command, args })?.id).toBe(id);
  });
});
