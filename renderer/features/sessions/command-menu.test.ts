import { describe, expect, it } from 'vitest';
import { completed, matchingCommands } from './command-menu.ts';

const commands = [
  { name: 'help', description: 'Help' },
  { name: 'hang', description: 'Hang' },
  { name: 'slow', description: 'Slow', hint: '[ms]' },
];
const names = (text: string) => matchingCommands(text, commands).map(({ name }) => name);

describe('the menu of commands', () => {
  it.each([
    ['/', ['help', 'hang', 'slow']],
    ['/h', ['help', 'hang']],
    ['/HE', ['help']],
    ['/help', []],
    ['/slow 5', []],
    ['help', []],
    ['say /', []],
    ['', []],
  ])('for %j offers %j', (text, expected) => expect(names(text)).toEqual(expected));

  it('leaves room for what a command wants to be told', () => {
    expect(commands.map((command) => completed(command))).toEqual(['/help', '/hang', '/slow ']);
  });
});
