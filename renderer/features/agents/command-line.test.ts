import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinCommandLine, shellHint, splitCommandLine } from './command-line.ts';

describe('splitCommandLine', () => {
  it.each([
    ['', []],
    ['  agent  ', ['agent']],
    ['npx -y @scope/agent@1.2 --acp', ['npx', '-y', '@scope/agent@1.2', '--acp']],
    [`run "two words" 'and "these"'`, ['run', 'two words', 'and "these"']],
    [`a"b"'c' '' ""`, ['abc', '', '']],
    [String.raw`one\ word say\"it\" "a \"b\" \\ \n"`, ['one word', 'say"it"', String.raw`a "b" \ \n`]],
    [
      String.raw`C:\tools\agent.exe 'C:\Program Files\x'`,
      [String.raw`C:\tools\agent.exe`, String.raw`C:\Program Files\x`],
    ],
    ['first\n\tsecond', ['first', 'second']],
  ])('%j', (line, words) => {
    expect(splitCommandLine(line)).toEqual({ words });
  });

  it('says which quote is open', () => {
    expect(splitCommandLine('agent "half')).toEqual({ error: 'A " is not closed.' });
    expect(splitCommandLine("agent 'half")).toEqual({ error: "A ' is not closed." });
  });

  it('gives back what was joined, whatever the words are', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
        expect(splitCommandLine(joinCommandLine(words))).toEqual({ words });
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('\\', "'", '"', ' ', 'a', '\n') })), (words) => {
        expect(splitCommandLine(joinCommandLine(words))).toEqual({ words });
      }),
    );
  });
});

describe('shellHint', () => {
  it('names what only a shell would understand', () => {
    expect(shellHint(['agent', '|', 'tee'])).toContain('“|”');
    expect(shellHint(['KEY=1', 'agent'])).toContain('under Environment');
    expect(shellHint(['agent', '$HOME/x'])).toContain('“$HOME/x”');
    expect(shellHint(['~/bin/agent'])).toContain('“~/bin/agent”');
  });

  it('is silent about ordinary arguments', () => {
    expect(shellHint(['npx', '-y', 'agent', '--flag=a&b', 'x=1'])).toBeUndefined();
  });
});
