/**
 * The built-in agent `echo`: answers with the words of the prompt, streamed as a model would. It needs no key and no
 * network, and rehearses failures on command (`/help`). Arguments:
 * - `--delay-ms <n>`: milliseconds between the pieces of an answer (default 15)
 * - `--chunk <n>`: words in a piece (default 1)
 * - `--repeat <n>`: how often the answer is given (default 1)
 * - `--noise`: writes to stderr with each piece, as chatty programs do
 */
import { parseArgs } from 'node:util';
import { agent, PROTOCOL_VERSION, RequestError } from '@agentclientprotocol/sdk';
import { EXTENSION_METHODS, META } from '../protocol/extensions.ts';
import { ECHO_COMMANDS, type EchoTurn } from './echo-commands.ts';
import { knownTurns, pause, promptText, serveStdio } from './serve-stdio.ts';

/** How long the drill `slow` lasts, and how late everything is meanwhile. */
const SLOW_DRILL_MS = 10_000;
const SLOW_DRILL_DELAY_MS = 1500;
const FLOOD_DRILL_MESSAGES = 5000;

interface EchoSession {
  knownTurns: number;
  abort?: AbortController;
}

const { values: flags } = parseArgs({
  options: {
    'delay-ms': { type: 'string', default: '15' },
    chunk: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '1' },
    noise: { type: 'boolean', default: false },
  },
});
const delayMs = Number(flags['delay-ms']);
const wordsPerPiece = Math.max(1, Number(flags.chunk));
const repeat = Math.max(1, Number(flags.repeat));

const sessions = new Map<string, EchoSession>();
let sessionCount = 0;
let slowUntil = 0;
const lateness = () => (Date.now() < slowUntil ? SLOW_DRILL_DELAY_MS : 0);

/** The pieces of an answer: words with the blanks that follow them, so that nothing is lost. */
function pieces(text: string): string[] {
  const words = text.match(/\s*\S+\s*/g) ?? [text];
  const joined: string[] = [];
  for (let i = 0; i < words.length; i += wordsPerPiece)
    joined.push(words.slice(i, i + wordsPerPiece).join(''));
  return joined;
}

async function answer(turn: EchoTurn, text: string): Promise<void> {
  const [, name, argument = ''] = /^\/(\S+)\s*([\s\S]*)$/.exec(text.trim()) ?? [];
  const command = ECHO_COMMANDS.find((known) => known.name === name);
  if (command !== undefined) return command.run(turn, argument);
  for (let i = 0; i < repeat && !turn.signal.aborted; i++) await turn.say(i === 0 ? text : `\n${text}`);
}

const app = agent({ name: 'echo' })
  .onRequest('initialize', () => ({
    protocolVersion: PROTOCOL_VERSION,
    agentInfo: { name: 'echo', title: 'Echo', version: '1.0.0' },
    agentCapabilities: {
      loadSession: false,
      sessionCapabilities: { close: {} },
      _meta: { [META.history]: true, [META.drills]: ['slow', 'flood'] },
    },
  }))
  .onRequest('session/new', async ({ params, client }) => {
    const sessionId = `echo-${++sessionCount}`;
    const known = knownTurns(params._meta?.[META.history]);
    sessions.set(sessionId, { knownTurns: known.filter(({ role }) => role === 'user').length });
    // After the answer: a client cannot know the session before.
    setImmediate(() => {
      void client.notify('session/update', {
        sessionId,
        update: {
          sessionUpdate: 'available_commands_update',
          availableCommands: ECHO_COMMANDS.map(({ name, description, hint }) => ({
            name,
            description,
            ...(hint === undefined ? {} : { input: { hint } }),
          })),
        },
      });
    });
    return { sessionId };
  })
  .onRequest('session/prompt', async ({ params, client }) => {
    const session = sessions.get(params.sessionId);
    if (session === undefined) throw RequestError.sessionNotFound(params.sessionId);
    const abort = new AbortController();
    session.abort = abort;
    const { signal } = abort;
    const tell: EchoTurn['tell'] = (update) =>
      client.notify('session/update', { sessionId: params.sessionId, update });
    await answer(
      {
        knownTurns: session.knownTurns,
        signal,
        tell,
        async say(text, wordDelayMs = delayMs) {
          for (const piece of pieces(text)) {
            await pause(wordDelayMs + lateness(), signal);
            if (signal.aborted) return;
            if (flags.noise) process.stderr.write(`echo: streaming ${piece.length} characters\n`);
            await tell({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: piece } });
          }
        },
      },
      promptText(params.prompt),
    );
    session.knownTurns += 1;
    return { stopReason: signal.aborted ? 'cancelled' : 'end_turn' };
  })
  .onNotification('session/cancel', ({ params }) => sessions.get(params.sessionId)?.abort?.abort())
  .onRequest('session/close', ({ params }) => {
    sessions.get(params.sessionId)?.abort?.abort();
    sessions.delete(params.sessionId);
  })
  .onRequest(
    EXTENSION_METHODS.ping,
    (params) => params,
    async () => {
      await pause(lateness(), new AbortController().signal);
      return {};
    },
  )
  .onRequest(
    EXTENSION_METHODS.drill,
    (params) => params as { kind?: unknown },
    async ({ params, client }) => {
      if (params.kind === 'slow') slowUntil = Date.now() + SLOW_DRILL_MS;
      else if (params.kind === 'flood') {
        for (let i = 0; i < FLOOD_DRILL_MESSAGES; i++) {
          process.stderr.write(`echo: flood ${i}\n`);
          await client.notify(EXTENSION_METHODS.flood, { number: i, padding: 'x'.repeat(200) });
        }
      } else throw RequestError.invalidParams({ kind: params.kind });
      return {};
    },
  );

serveStdio(app);
