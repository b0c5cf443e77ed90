import { describe, expect, it } from 'vitest';
import { completed, matchingCommands } from './command-menu.ts';

const commands = [
  { name: 'help', description: 'Help' },
  { name: 'hang', description: 'Hang' },
  { name: 'slow', description: 'Slow', hint: '[ms]' },
  { name: 'plan-all', description: 'All plans' },
  { name: 'plan', description: 'One plan' },
];
const names = (text: string) => matchingCommands(text, commands).map(({ name }) => name);

describe('the menu of commands', () => {
  it.each([
    ['/', ['help', 'hang', 'slow', 'plan-all', 'plan']],
    ['/plan', ['plan', 'plan-all']],
    ['/plan-all', []],
    ['/h', ['help', 'hang']],
    ['/HE', ['help']],
    ['/help', []],
    ['/slow 5', []],
    ['help', []],
    ['say /', []],
    ['', []],
  ])('for %j offers %j', (text, expected) => expect(names(text)).toEqual(expected));

  it('leaves room for what a command wants to be told', () => {
    expect(commands.map((command) => completed(command))).toEqual([
      '/help',
      '/hang',
      '/slow ',
      '/plan-all',
      '/plan',
    ]);
  });
});
