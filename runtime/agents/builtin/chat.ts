/**
 * The built-in agent `chat`: a conversation with a model of OpenAI, Anthropic, Google or any server that speaks OpenAI's
 * API. The keys come in the environment and are never told on. Argument: `--model <provider/model>`, such as
 * `anthropic/claude-sonnet-5-5`; without it, the first provider with a key.
 */
import type { ModelMessage } from 'ai';
import { EXTENSION_METHODS, META } from '../protocol/extensions.ts';
import { AgentApp, PROTOCOL_VERSION, RequestError } from './acp-server.ts';
import { type Answer, answer, ProviderError, retryLimits } from './chat-answer.ts';
import { userContent } from './chat-prompt.ts';
import { ChatSessionModels } from './chat-session-models.ts';
import { knownTurns, parseFlags, serveStdio } from './serve-stdio.ts';

/** JSON-RPC: an error that the server defines; what it is says `data.code`. */
const PROVIDER_FAILED = -32010;

interface ChatSession {
  models: ChatSessionModels;
  messages: ModelMessage[];
  abort?: AbortController;
}

const { values: flags } = parseFlags({ options: { model: { type: 'string' } } });
const retries = retryLimits(process.env);
const sessions = new Map<string, ChatSession>();
let sessionCount = 0;

function known(sessionId: string): ChatSession {
  const session = sessions.get(sessionId);
  if (session === undefined) throw RequestError.sessionNotFound(sessionId);
  return session;
}

function failed(code: string, message: string, retryAfterMs?: number): RequestError {
  return new RequestError(PROVIDER_FAILED, message, {
    code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

// The library may print hints to stdout, where only the protocol belongs.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

const app = new AgentApp()
  .onRequest('initialize', () => ({
    protocolVersion: PROTOCOL_VERSION,
    agentInfo: { name: 'chat', title: 'Chat', version: '1.0.0' },
    agentCapabilities: {
      loadSession: false,
      promptCapabilities: { image: true, embeddedContext: true },
      sessionCapabilities: { close: {} },
      _meta: { [META.history]: true },
    },
  }))
  .onRequest('session/new', ({ params }) => {
    const sessionId = `chat-${++sessionCount}`;
    const models = new ChatSessionModels(flags.model, process.env);
    sessions.set(sessionId, {
      models,
      messages: knownTurns(params._meta?.[META.history]).map(({ role, text }) => ({
        role: role === 'user' ? 'user' : 'assistant',
        content: text,
      })),
    });
    return { sessionId, configOptions: models.configOptions };
  })
  .onRequest('session/set_config_option', ({ params }) => {
    const { models } = known(params.sessionId);
    if (!models.setOption(params.configId, params.value)) {
      throw RequestError.invalidParams({ configId: params.configId, value: params.value });
    }
    return { configOptions: models.configOptions };
  })
  .onRequest('session/prompt', async ({ params, client }) => {
    const session = known(params.sessionId);
    const { models } = session;
    const choice = models.chosen;
    if ('code' in choice) throw failed(choice.code, choice.message);
    const abort = new AbortController();
    session.abort = abort;
    const question: ModelMessage = { role: 'user', content: userContent(params.prompt) };
    let told: Answer;
    try {
      told = await answer(choice, [...session.messages, question], retries, abort.signal, (kind, text) =>
        client.notify('session/update', {
          sessionId: params.sessionId,
          update: {
            sessionUpdate: kind === 'text' ? 'agent_message_chunk' : 'agent_thought_chunk',
            content: { type: 'text', text },
          },
        }),
      );
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const { code, message, retryAfterMs } = error.problem;
      throw failed(code, message, retryAfterMs);
    }
    if (models.answered(choice, told.model)) {
      await client.notify('session/update', {
        sessionId: params.sessionId,
        update: { sessionUpdate: 'config_option_update', configOptions: models.configOptions },
      });
    }
    // A turn without an answer leaves no trace, so that asking again is not asking twice.
    if (told.text !== '') session.messages.push(question, { role: 'assistant', content: told.text });
    return {
      stopReason: told.stopReason,
      ...(told.usage === undefined ? {} : { _meta: { [META.usage]: told.usage } }),
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
    () => ({}),
  );

serveStdio(app);
