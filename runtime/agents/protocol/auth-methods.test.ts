import { expect, it } from 'vitest';
import { authMethodsOf, loginInWords } from './auth-methods.ts';

it('takes the older way to tell a login in a terminal, whose command is whole', () => {
  expect(
    authMethodsOf(
      [
        {
          id: 'claude-login',
          name: 'Log in with Claude',
          description: 'Run the command',
          _meta: { 'terminal-auth': { command: '/bin/node', args: ['cli.js', '/login'], label: 'Login' } },
        },
      ],
      { command: '/bin/other', args: [] },
    ),
  ).toEqual([
    {
      id: 'claude-login',
      name: 'Log in with Claude',
      description: 'Run the command',
      type: 'terminal',
      command: '/bin/node cli.js /login',
    },
  ]);
});

it('leaves out what is no way to log in', () => {
  expect(authMethodsOf([null, 'x', { name: 'no id' }, { id: '', name: 'x' }], undefined)).toEqual([]);
  expect(authMethodsOf([{ id: 'a', name: '', type: 'terminal', args: 'bad' }], undefined)).toEqual([
    { id: 'a', name: 'a', type: 'terminal' },
  ]);
});

it('knows what to say when an agent tells no way', () => {
  expect(loginInWords([])).toBe('Log in with its own command.');
});
