/**
 * The built-in agent `echo`: answers with the words of the prompt, streamed as a model would. It needs no key and no
 * network, and rehearses on command what agents do, on purpose or not (`/help`). Arguments:
 * - `--delay-ms <n>`: milliseconds between the pieces of an answer (default 15)
 * - `--chunk <n>`: words in a piece (default 1)
 * - `--repeat <n>`: how often the answer is given (default 1)
 * - `--noise`: writes to stderr with each piece, as chatty programs do
 * - `--store <folder>`: keeps its sessions there, and offers to resume and to load them
 */
import type { AvailableCommand } from '@agentclientprotocol/sdk';
import { EXTENSION_METHODS, META } from '../protocol/extensions.ts';
import { AgentApp, type AgentContext, PROTOCOL_VERSION, RequestError } from './acp-server.ts';
import { ECHO_COMMANDS } from './echo-commands.ts';
import { EchoSession } from './echo-session.ts';
import { EchoTurn } from './echo-turn.ts';
import { knownTurns, parseFlags, pause, promptText, serveStdio } from './serve-stdio.ts';

/** How long the drill `slow` lasts, and how late everything is meanwhile. */
const SLOW_DRILL_MS = 10_000;
const SLOW_DRILL_DELAY_MS = 1500;
const FLOOD_DRILL_MESSAGES = 5000;

const { values: flags } = parseFlags({
  options: {
    'delay-ms': { type: 'string', default: '15' },
    chunk: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '1' },
    noise: { type: 'boolean', default: false },
    store: { type: 'string' },
  },
});
const repeat = Math.max(1, Number(flags.repeat));
// Loaded only where it is needed, like the pictures: the modules of Node.js behind it take longer than all the rest.
const store =
  flags.store === undefined
    ? undefined
    : new (await import('./echo-session-file.ts')).EchoSessionFile(flags.store);

const sessions = new Map<string, EchoSession>();
let sessionCount = 0;
let slowUntil = 0;
const lateness = () => (Date.now() < slowUntil ? SLOW_DRILL_DELAY_MS : 0);

const availableCommands: AvailableCommand[] = ECHO_COMMANDS.map(({ name, description, hint }) => ({
  name,
  description,
  ...(hint === undefined ? {} : { input: { hint } }),
}));

/** What is told of a session that was opened, in the answer and after it: a client cannot know the session before. */
function opened(session: EchoSession, client: AgentContext) {
  sessions.set(session.id, session);
  setImmediate(() => {
    void client.notify('session/update', {
      sessionId: session.id,
      update: { sessionUpdate: 'available_commands_update', availableCommands },
    });
  });
  return { modes: session.modes, configOptions: session.configOptions };
}

function known(sessionId: string): EchoSession {
  const session = sessions.get(sessionId);
  if (session === undefined) throw RequestError.sessionNotFound(sessionId);
  return session;
}

function stored(sessionId: string): EchoSession {
  const entries = store?.read(sessionId);
  if (entries === undefined) throw RequestError.sessionNotFound(sessionId);
  return new EchoSession(sessionId, entries, store);
}

async function answer(turn: EchoTurn, text: string): Promise<void> {
  const [, name, argument = ''] = /^\/(\S+)\s*([\s\S]*)$/.exec(text.trim()) ?? [];
  const command = ECHO_COMMANDS.find((one) => one.name === name);
  if (command !== undefined) return command.run(turn, argument);
  const words = turn.session.modeId === 'loud' ? text.toUpperCase() : text;
  for (let i = 0; i < repeat && !turn.signal.aborted; i++) await turn.say(i === 0 ? words : `\n${words}`);
}

const app = new AgentApp()
  .onRequest('initialize', () => ({
    protocolVersion: PROTOCOL_VERSION,
    agentInfo: { name: 'echo', title: 'Echo', version: '1.0.0' },
    agentCapabilities: {
      loadSession: store !== undefined,
      promptCapabilities: { image: true, audio: true, embeddedContext: true },
      sessionCapabilities: { close: {}, ...(store === undefined ? {} : { resume: {} }) },
      _meta: { [META.history]: true, [META.drills]: ['slow', 'flood'] },
    },
  }))
  .onRequest('session/new', ({ params, client }) => {
    const entries = knownTurns(params._meta?.[META.history]);
    const sessionId = store?.create(entries) ?? `echo-${++sessionCount}`;
    return { sessionId, ...opened(new EchoSession(sessionId, entries, store), client) };
  })
  .onRequest('session/resume', ({ params, client }) => opened(stored(params.sessionId), client))
  .onRequest('session/load', async ({ params, client }) => {
    const session = stored(params.sessionId);
    for (const { role, text } of session.entries) {
      await client.notify('session/update', {
        sessionId: session.id,
        update: {
          sessionUpdate: role === 'user' ? 'user_message_chunk' : 'agent_message_chunk',
          content: { type: 'text', text },
        },
      });
    }
    return opened(session, client);
  })
  .onRequest('session/set_mode', ({ params }) => {
    if (!known(params.sessionId).setMode(params.modeId)) {
      throw RequestError.invalidParams({ modeId: params.modeId });
    }
    return {};
  })
  .onRequest('session/set_config_option', ({ params }) => {
    const session = known(params.sessionId);
    if (!session.setOption(params.configId, params.value)) {
      throw RequestError.invalidParams({ configId: params.configId, value: params.value });
    }
    return { configOptions: session.configOptions };
  })
  .onRequest('session/prompt', async ({ params, client }) => {
    const session = known(params.sessionId);
    const abort = new AbortController();
    session.abort = abort;
    const turn = new EchoTurn({
      session,
      client,
      signal: abort.signal,
      delayMs: Number(flags['delay-ms']),
      wordsPerPiece: Math.max(1, Number(flags.chunk)),
      isNoisy: flags.noise,
      lateness,
    });
    const text = promptText(params.prompt);

    session.add({ role: 'user', text });
    await answer(turn, text);
    if (turn.said !== '') session.add({ role: 'agent', text: turn.said });
    await turn.tellContextWindow();
    return {
      stopReason: abort.signal.aborted ? ('cancelled' as const) : ('end_turn' as const),
      ...(turn.usage === undefined ? {} : { _meta: { [META.usage]: turn.usage } }),
    };
  })
  .onNotification('session/cancel', ({ params }) => sessions.get(params.sessionId)?.abort?.abort())
  .onRequest('session/close', ({ params }) => {
    sessions.get(params.sessionId)?.abort?.abort();
    sessions.delete(params.sessionId);
    return {};
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
