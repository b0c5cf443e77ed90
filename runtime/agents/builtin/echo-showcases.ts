/** Slash commands of the echo agent that show what the protocol has: questions, diffs, images, modes, usage. */
import { type EchoCommand, numberOr } from './echo-command.ts';
import { pause } from './serve-stdio.ts';

const TOOL_KINDS = [
  'read',
  'edit',
  'delete',
  'move',
  'search',
  'execute',
  'think',
  'fetch',
  'other',
] as const;

/** How often `/usage` tells what was used so far, and how many milliseconds pass between. */
const USAGE_STEPS = 10;
const USAGE_STEP_MS = 50;

const newToolCallId = () => `tool-${process.hrtime.bigint()}`;

export const ECHO_SHOWCASES: EchoCommand[] = [
  {
    name: 'permission',
    description: 'Ask for a permission before a tool is used',
    hint: `[${TOOL_KINDS.join('|')}]`,
    async run(turn, argument) {
      const kind = TOOL_KINDS.find((one) => one === argument.trim()) ?? 'execute';
      const toolCall = { toolCallId: newToolCallId(), title: `Pretend to ${kind}`, kind };
      await turn.tell({ sessionUpdate: 'tool_call', ...toolCall, status: 'pending', rawInput: { kind } });
      const optionId = await turn.askPermission(toolCall);
      const isAllowed = optionId === 'allow' || optionId === 'always';
      await turn.tell({
        sessionUpdate: 'tool_call_update',
        toolCallId: toolCall.toolCallId,
        status: isAllowed ? 'completed' : 'failed',
        rawOutput: { optionId: optionId ?? null },
      });
      await turn.say(
        isAllowed
          ? `You chose “${optionId}”, so I did it.`
          : `You chose “${optionId ?? 'nothing'}”, so I did not.`,
      );
    },
  },
  {
    name: 'ask',
    description: 'Ask a question with a form',
    async run(turn) {
      const answer = await turn.askQuestion(
        'Tell me about yourself.',
        {
          name: { type: 'string', title: 'Name' },
          color: { type: 'string', title: 'Favourite colour', enum: ['red', 'green', 'blue'] },
          age: { type: 'integer', title: 'Age', minimum: 0 },
          pineapple: { type: 'boolean', title: 'Pineapple on pizza' },
        },
        ['name'],
      );
      await turn.say(
        answer.action === 'accept'
          ? `You told me ${JSON.stringify(answer.content)}.`
          : `You said ${answer.action}.`,
      );
    },
  },
  {
    name: 'diff',
    description: 'Edit a file that does not exist',
    async run(turn) {
      const path = '/tmp/poem.txt';
      await turn.tell({
        sessionUpdate: 'tool_call',
        toolCallId: newToolCallId(),
        title: 'Edit poem.txt',
        kind: 'edit',
        status: 'completed',
        locations: [{ path, line: 2 }],
        content: [
          {
            type: 'diff',
            path,
            oldText: 'Roses are red,\nViolets are green.\n',
            newText: 'Roses are red,\nViolets are blue.\n',
          },
        ],
      });
      await turn.say('I have corrected the poem.');
    },
  },
  {
    name: 'image',
    description: 'Answer with a picture',
    async run(turn) {
      await turn.say('Here is a picture:');
      const { gradientImage } = await import('./echo-image.ts');
      await turn.tell({
        sessionUpdate: 'agent_message_chunk',
        content: { type: 'image', mimeType: 'image/png', data: gradientImage() },
      });
    },
  },
  {
    name: 'modes',
    description: 'Switch to the next mode by itself',
    async run(turn) {
      const currentModeId = turn.session.nextMode();
      await turn.tell({ sessionUpdate: 'current_mode_update', currentModeId });
      await turn.say(`I am in the mode “${currentModeId}” now.`);
    },
  },
  {
    name: 'usage',
    description: 'Claim to use so many tokens and dollars, little by little',
    hint: '[tokens] [dollars]',
    async run(turn, argument) {
      const [tokens, dollars] = argument.trim().split(/\s+/);
      const outputTokens = numberOr(tokens, 1000, 1e9);
      const cost = numberOr(dollars, 0, 1e6);
      const costBefore = turn.session.cost;
      for (let step = 1; step <= USAGE_STEPS && !turn.signal.aborted; step++) {
        turn.usage = { inputTokens: 0, outputTokens: Math.round((outputTokens * step) / USAGE_STEPS) };
        turn.session.cost = costBefore + (cost * step) / USAGE_STEPS;
        await turn.tellContextWindow();
        await pause(USAGE_STEP_MS, turn.signal);
      }
      await turn.say(`I claim ${turn.usage?.outputTokens ?? 0} tokens.`);
    },
  },
  {
    name: 'quiet',
    description: 'Use a tool that says nothing for so many seconds',
    hint: '[seconds]',
    async run(turn, argument) {
      const seconds = numberOr(argument, 10, 3600);
      const toolCallId = newToolCallId();
      await turn.tell({
        sessionUpdate: 'tool_call',
        toolCallId,
        title: `Be quiet for ${seconds} s`,
        kind: 'execute',
        status: 'in_progress',
      });
      await pause(seconds * 1000, turn.signal);
      if (turn.signal.aborted) return;
      await turn.tell({ sessionUpdate: 'tool_call_update', toolCallId, status: 'completed' });
      await turn.say('That was quiet.');
    },
  },
];
