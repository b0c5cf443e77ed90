/**
 * What the echo agent does on a slash command. These rehearse trouble and the plain things that every agent does; what
 * needs more of the protocol is in `echo-showcases.ts`.
 */
import { type EchoCommand, numberOr } from './echo-command.ts';
import { ECHO_SHOWCASES } from './echo-showcases.ts';
import type { EchoTurn } from './echo-turn.ts';
import { pause } from './serve-stdio.ts';

const commands: EchoCommand[] = [
  {
    name: 'help',
    description: 'List the commands',
    run: (turn) =>
      turn.say(
        [
          'I answer with your own words. I also know these commands:',
          ...commands.map(
            ({ name, hint, description }) =>
              `- \`/${name}${hint === undefined ? '' : ` ${hint}`}\` — ${description}`,
          ),
        ].join('\n'),
        0,
      ),
  },
  {
    name: 'crash',
    description: 'Die in mid-answer, with exit code 1',
    async run(turn) {
      await turn.say('I am about to crash, in the middle of a');
      process.stderr.write('echo: crashing because /crash was asked for\n', () => process.exit(1));
      await pause(10_000, turn.signal);
    },
  },
  {
    name: 'hang',
    description: 'Block for ever: no answer, no sign of life',
    async run(turn) {
      await turn.say('Hanging from now on.');
      // Lets the words out, then blocks the event loop without using the processor. It cannot see its stdin end any more,
      // so it looks whether whoever started it is still there: nobody else would end it.
      await pause(50, turn.signal);
      const parent = process.ppid;
      const never = new Int32Array(new SharedArrayBuffer(4));
      while (process.ppid === parent) Atomics.wait(never, 0, 0, 1000);
      process.exit(1);
    },
  },
  {
    name: 'slow',
    description: 'Answer slowly, so many milliseconds a word',
    hint: '[ms]',
    run: (turn, argument) =>
      turn.say('This answer takes its time, one word after the other.', numberOr(argument, 500, 60_000)),
  },
  {
    name: 'flood',
    description: 'Answer in so many pieces as fast as possible',
    hint: '[count]',
    async run(turn, argument) {
      const count = numberOr(argument, 1000, 100_000);
      for (let i = 1; i <= count && !turn.signal.aborted; i++) {
        await turn.tell({
          sessionUpdate: 'agent_message_chunk',
          content: { type: 'text', text: i === count ? `${i}` : `${i} ` },
        });
      }
    },
  },
  {
    name: 'noisy',
    description: 'Write garbage to stdout and stderr, and answer all the same',
    async run(turn) {
      for (let i = 0; i < 20; i++) {
        process.stdout.write(`npm warn this line is no protocol message ${i} \u0000\ufffd\n`);
        process.stderr.write(`echo: noise ${i}\n`);
      }
      process.stdout.write('{"this": "is", not json}\n');
      await turn.say('I made some noise; did you hear me?');
    },
  },
  {
    name: 'tool',
    description: 'Call a tool, with progress',
    async run(turn) {
      const toolCallId = `tool-${Date.now()}`;
      await turn.tell({
        sessionUpdate: 'tool_call',
        toolCallId,
        title: 'Count to three',
        kind: 'execute',
        status: 'pending',
      });
      await turn.tell({ sessionUpdate: 'tool_call_update', toolCallId, status: 'in_progress' });
      let counted = '';
      for (const number of ['one', 'two', 'three']) {
        await pause(30, turn.signal);
        if (turn.signal.aborted) return;
        counted += `${number}\n`;
        await turn.tell({
          sessionUpdate: 'tool_call_update',
          toolCallId,
          content: [{ type: 'content', content: { type: 'text', text: counted.trim() } }],
        });
      }
      await turn.tell({ sessionUpdate: 'tool_call_update', toolCallId, status: 'completed' });
      await turn.say('I counted to three.');
    },
  },
  {
    name: 'think',
    description: 'Think aloud before the answer',
    async run(turn) {
      for (const text of ['They want me to think. ', 'So I think. ', 'Therefore I am.']) {
        await pause(30, turn.signal);
        if (turn.signal.aborted) return;
        await turn.tell({ sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text } });
      }
      await turn.say('I have thought about it.');
    },
  },
  {
    name: 'plan',
    description: 'Make a plan and carry it out',
    async run(turn) {
      const steps = ['Look at it', 'Think about it', 'Do it'];
      for (let done = 0; done <= steps.length && !turn.signal.aborted; done++) {
        await turn.tell({
          sessionUpdate: 'plan',
          entries: steps.map((content, index) => ({
            content,
            priority: 'medium',
            status: index < done ? 'completed' : index === done ? 'in_progress' : 'pending',
          })),
        });
        await pause(30, turn.signal);
      }
      await turn.say('The plan is carried out.');
    },
  },
  {
    name: 'history',
    description: 'Tell how many earlier turns of this session it knows',
    run: (turn) =>
      turn.say(
        `I know ${earlierTurns(turn)} earlier ${earlierTurns(turn) === 1 ? 'turn' : 'turns'} of this session.`,
      ),
  },
  ...ECHO_SHOWCASES,
];

/** This one is known by now, too. */
function earlierTurns({ session }: EchoTurn): number {
  return session.knownTurns - 1;
}

export const ECHO_COMMANDS: readonly EchoCommand[] = commands;
