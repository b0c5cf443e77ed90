import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  anthropicAnswer,
  geminiAnswer,
  openaiAnswer,
  openaiBeginning,
  openaiError,
  type ProviderServer,
  refusal,
  startProviderServer,
} from '../fixtures/provider-server.ts';
import type { Asked, TestAgents } from '../fixtures/start-agents.ts';
import { type ChatSetup, endChats, KEY, startChat } from '../fixtures/start-chat.ts';

let server: ProviderServer;
/** What the test started for itself. */
const houses: TestAgents[] = [];

beforeAll(async () => {
  server = await startProviderServer();
});
beforeEach(() => {
  server.calls.length = 0;
});
afterEach(() => endChats(houses));
afterAll(() => server.close());

const chat = (setup: ChatSetup, owners = houses) => startChat(setup, owners);

/** A chat agent with a working set-up, shared by the tests of a group. */
function sharedChat(setup: () => ChatSetup) {
  const owned: TestAgents[] = [];
  let ask: Awaited<ReturnType<typeof chat>>;
  beforeAll(async () => {
    ask = await chat(setup(), owned);
  });
  afterAll(() => endChats(owned));
  return (...request: Parameters<typeof ask>) => ask(...request);
}

const openai = (): ChatSetup => ({
  settings: { openaiApiKey: KEY, openaiBaseUrl: `${server.url}/v1` },
  model: 'openai/test-model',
});

/** Asks, and gives the error. */
async function errorOf(ask: (text: string) => Asked) {
  const error = await ask('hello').result.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error as { code: string; message: string; data: Record<string, unknown> };
}

describe('OpenAI and compatible servers', () => {
  const ask = sharedChat(openai);

  it('streams the answer and tells the usage', async () => {
    server.answerWith(openaiAnswer(['Hel', 'lo ', 'you']));
    const asked = ask('hello');
    expect(await asked.result).toEqual({
      stopReason: 'end_turn',
      knownBy: 'new',
      usage: { inputTokens: 11, outputTokens: 7 },
    });
    expect(asked.updates).toEqual(['Hel', 'lo ', 'you'].map((text) => ({ kind: 'text', text })));
    expect(server.calls).toHaveLength(1);
    expect(server.calls[0]).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${KEY}` },
      body: {
        model: 'test-model',
        stream: true,
        stream_options: { include_usage: true },
        messages: [{ role: 'user', content: 'hello' }],
      },
    });
  });

  it('keeps the conversation of each session apart', async () => {
    server.answerWith(openaiAnswer(['one']), openaiAnswer(['two']), openaiAnswer(['three']));
    await ask('first', { sessionId: 'one' }).result;
    await ask('other', { sessionId: 'another' }).result;
    await ask('second', { sessionId: 'one' }).result;
    expect(server.calls.map(({ body }) => body.messages.map((m: { content: string }) => m.content))).toEqual([
      ['first'],
      ['other'],
      ['first', 'one', 'second'],
    ]);
  });

  it('knows the history that it is primed with', async () => {
    server.answerWith(openaiAnswer(['yes']));
    await ask('still there?', {
      history: async () => [
        { role: 'user', text: 'before' },
        { role: 'agent', text: 'indeed' },
      ],
    }).result;
    expect(server.calls[0]?.body.messages).toEqual([
      { role: 'user', content: 'before' },
      { role: 'assistant', content: 'indeed' },
      { role: 'user', content: 'still there?' },
    ]);
  });

  it('passes on images and files as what they are', async () => {
    server.answerWith(openaiAnswer(['seen']), openaiAnswer(['still seen']));
    const file = (name: string, mimeType: string, bytes: Uint8Array) => ({ name, mimeType, bytes });
    await ask('look', {
      sessionId: 'with files',
      attachments: [
        file('a.png', 'image/png', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0)),
        file('a b.md', 'text/markdown', new TextEncoder().encode('# Hi')),
        file('a.pdf', 'application/pdf', Uint8Array.of(0x25, 0x50, 0x44, 0x46, 0)),
      ],
    }).result;
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORwA=' } },
      { type: 'text', text: 'File a b.md:\n# Hi' },
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERgA=' } },
    ];
    expect(server.calls[0]?.body.messages).toEqual([{ role: 'user', content }]);
    await ask('again', { sessionId: 'with files' }).result;
    expect(server.calls[1]?.body.messages[0]).toEqual({ role: 'user', content });
  });

  it('says which files the model does not take', async () => {
    const asked = ask('look', {
      attachments: [{ name: 'a.zip', mimeType: 'application/zip', bytes: Uint8Array.of(0x50, 0x4b, 0) }],
    });
    await expect(asked.result).rejects.toMatchObject({
      code: 'provider.failed',
      message: expect.stringContaining('application/zip'),
    });
  });

  it('needs neither a key nor a model for a server of one’s own', async () => {
    server.answerWith(
      refusal(200, { object: 'list', data: [{ id: 'llama-local', object: 'model' }] }),
      openaiAnswer(['local']),
    );
    const ask = await chat({ settings: { openaiBaseUrl: `${server.url}/v1` } });
    const asked = ask('hello');
    await asked.result;
    expect(asked.text()).toBe('local');
    expect(server.calls.map(({ path }) => path)).toEqual(['/v1/models', '/v1/chat/completions']);
    expect(server.calls[1]?.body.model).toBe('llama-local');
  });

  it('ends the request when the turn is cancelled, and keeps what was said', async () => {
    server.answerWith(openaiBeginning(['I will ', 'never '], 'stays silent'), openaiAnswer(['ok']));
    const asked = ask('talk', { sessionId: 'cancelled' });
    await vi.waitFor(() => expect(asked.text()).toBe('I will never '), { timeout: 5000 });
    asked.cancel();
    expect(await asked.result).toEqual({ stopReason: 'cancelled', knownBy: 'new' });
    await server.calls[0]?.abandoned;
    await ask('again', { sessionId: 'cancelled' }).result;
    expect(server.calls[1]?.body.messages.map((m: { content: string }) => m.content)).toEqual([
      'talk',
      'I will never ',
      'again',
    ]);
  });

  it.each([
    ['length', 'max_tokens'],
    ['content_filter', 'refusal'],
  ])('tells the finish reason %s as %s', async (finishReason, stopReason) => {
    server.answerWith(openaiAnswer(['so far'], finishReason));
    expect(await ask('hello').result).toMatchObject({ stopReason });
  });
});

describe('what goes wrong', () => {
  const ask = sharedChat(openai);

  it.each([
    [
      'refuses the key',
      401,
      openaiError(`Incorrect API key provided: ${KEY}`, 'invalid_api_key'),
      'provider.key_refused',
    ],
    ['forbids', 403, openaiError('Not for you'), 'provider.key_refused'],
    [
      'has no such model',
      404,
      openaiError('The model `x` does not exist', 'model_not_found'),
      'provider.model_not_found',
    ],
    ['has no such page', 404, '<html>Not found</html>', 'provider.failed'],
    [
      'finds the quota used up',
      429,
      openaiError('You exceeded it', 'insufficient_quota'),
      'provider.quota_exceeded',
    ],
    ['wants to be paid', 402, openaiError('Payment required'), 'provider.quota_exceeded'],
    [
      'finds the conversation too long',
      400,
      openaiError("This model's maximum context length is 8192 tokens", 'context_length_exceeded'),
      'provider.context_too_long',
    ],
    [
      'refuses the content',
      400,
      openaiError('Rejected by our safety system', 'content_policy_violation'),
      'provider.content_refused',
    ],
    ['does not understand', 400, openaiError('Unsupported parameter'), 'provider.failed'],
  ])('names it when the provider %s (%i)', async (_what, status, body, code) => {
    server.answerWith(refusal(status, body));
    const error = await errorOf(ask);
    expect(error.code).toBe(code);
    expect(error.message).not.toContain(KEY);
    expect(server.calls, 'it is not tried again').toHaveLength(1);
  });

  it('tells how long a rate limit asks to wait, and does not wait for long', async () => {
    server.answerWith(refusal(429, openaiError('Slow down'), { 'retry-after': '17' }));
    const error = await errorOf(ask);
    expect(error).toMatchObject({ code: 'provider.rate_limited', data: { retryAfterMs: 17_000 } });
    expect(error.message).toContain('Slow down');
    expect(server.calls).toHaveLength(1);
  });

  it('tries again what may pass', async () => {
    server.answerWith(
      refusal(503, openaiError('Overloaded')),
      refusal(429, openaiError('Slow down'), { 'retry-after-ms': '5' }),
      openaiAnswer(['at last']),
    );
    const asked = ask('hello');
    await asked.result;
    expect(asked.text()).toBe('at last');
    expect(server.calls).toHaveLength(3);
  });

  it('gives up after the attempts of ERROR_RETRY_MAX_ATTEMPTS', async () => {
    server.answerWith(refusal(500, openaiError('Internal error')));
    const { settings, ...rest } = openai();
    const error = await errorOf(await chat({ ...rest, settings: { ...settings, retryMaxAttempts: 2 } }));
    expect(error.code).toBe('provider.failed');
    expect(server.calls).toHaveLength(2);
  });

  it('waits no longer between two attempts than ERROR_RETRY_MAX_DELAY, and makes all of them', async () => {
    server.answerWith(refusal(500, openaiError('Internal error')));
    const { settings, ...rest } = openai();
    const error = await errorOf(
      await chat({
        ...rest,
        settings: { ...settings, retryMaxAttempts: 5, retryBaseDelayMs: 60_000, retryMaxDelayMs: 2 },
      }),
    );
    expect(error.code).toBe('provider.failed');
    expect(server.calls).toHaveLength(5);
  });

  it('does not take half an answer for one: the connection breaks', async () => {
    server.answerWith(openaiBeginning(['half an '], 'breaks'));
    const asked = ask('hello');
    await expect(asked.result).rejects.toMatchObject({ code: 'provider.unreachable' });
    expect(asked.text()).toBe('half an ');
    expect(server.calls, 'nothing may be told twice').toHaveLength(1);
  });

  it('does not take half an answer for one: the stream just ends', async () => {
    server.answerWith(openaiBeginning(['half an '], 'ends'));
    const error = await errorOf(ask);
    expect(error).toMatchObject({ code: 'provider.failed' });
    expect(error.message).toContain('broke off');
  });

  it('says so when nobody listens', async () => {
    const closed = await startProviderServer();
    await closed.close();
    const error = await errorOf(await chat({ ...openai(), settings: { openaiBaseUrl: closed.url } }));
    expect(error.code).toBe('provider.unreachable');
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('goes on after a failure, and asks the failed question no more', async () => {
    server.answerWith(refusal(400, openaiError('No')), openaiAnswer(['fine']));
    const inOneSession = { sessionId: 'failed once' };
    await expect(ask('bad', inOneSession).result).rejects.toMatchObject({ code: 'provider.failed' });
    await ask('good', inOneSession).result;
    expect(server.calls[1]?.body.messages).toEqual([{ role: 'user', content: 'good' }]);
  });

  it.each([
    [undefined, 'provider.key_missing', 'OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY'],
    ['anthropic/claude', 'provider.key_missing', 'Set ANTHROPIC_API_KEY'],
    ['some-model', 'provider.model_not_found', 'openai/…'],
  ])('says what to set for the model %s', async (model, code, words) => {
    const error = await errorOf(await chat(model === undefined ? {} : { model }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it('does not find keys that are not in the settings', async () => {
    const error = await errorOf(await chat({ environment: { OPENAI_API_KEY: KEY } }));
    expect(error.code).toBe('provider.key_missing');
  });
});

describe('Anthropic', () => {
  const anthropic = (): ChatSetup => ({
    settings: { anthropicApiKey: KEY },
    environment: { ANTHROPIC_BASE_URL: `${server.url}/v1` },
    model: 'anthropic/test-model',
  });

  const ask = sharedChat(anthropic);

  it('streams thoughts and the answer', async () => {
    server.answerWith(anthropicAnswer('Let me see.', ['Good ', 'day']));
    const asked = ask('hello');
    expect(await asked.result).toEqual({
      stopReason: 'end_turn',
      knownBy: 'new',
      usage: { inputTokens: 21, outputTokens: 9 },
    });
    expect(asked.updates).toEqual([
      { kind: 'thought', text: 'Let me see.' },
      { kind: 'text', text: 'Good ' },
      { kind: 'text', text: 'day' },
    ]);
    expect(server.calls[0]).toMatchObject({
      path: '/v1/messages',
      headers: { 'x-api-key': KEY },
      body: { model: 'test-model', stream: true },
    });
  });

  it.each([
    [401, 'authentication_error', 'invalid x-api-key', 'provider.key_refused'],
    [404, 'not_found_error', 'model: test-model', 'provider.model_not_found'],
    [429, 'rate_limit_error', 'Too many tokens a minute', 'provider.rate_limited'],
    [400, 'invalid_request_error', 'Your credit balance is too low', 'provider.quota_exceeded'],
    [400, 'invalid_request_error', 'prompt is too long: 210000 tokens > 200000', 'provider.context_too_long'],
  ])('names the error %i %s', async (status, type, message, code) => {
    server.answerWith(refusal(status, { type: 'error', error: { type, message } }, { 'retry-after': '30' }));
    expect((await errorOf(ask)).code).toBe(code);
  });
});

describe('Gemini', () => {
  const gemini = (): ChatSetup => ({
    settings: { geminiApiKey: KEY },
    environment: { GOOGLE_GEMINI_BASE_URL: `${server.url}/v1beta` },
    model: 'gemini/test-model',
  });

  const ask = sharedChat(gemini);

  it('streams the answer', async () => {
    server.answerWith(geminiAnswer(['Guten ', 'Tag']));
    const asked = ask('hello');
    expect(await asked.result).toEqual({
      stopReason: 'end_turn',
      knownBy: 'new',
      usage: { inputTokens: 31, outputTokens: 8 },
    });
    expect(asked.text()).toBe('Guten Tag');
    expect(server.calls[0]).toMatchObject({
      path: '/v1beta/models/test-model:streamGenerateContent?alt=sse',
      headers: { 'x-goog-api-key': KEY },
    });
  });

  it.each([
    [400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', 'provider.key_refused'],
    [404, 'NOT_FOUND', 'models/test-model is not found', 'provider.model_not_found'],
    [
      400,
      'INVALID_ARGUMENT',
      'The input token count (2000000) exceeds the maximum',
      'provider.context_too_long',
    ],
  ])('names the error %i %s', async (status, name, message, code) => {
    server.answerWith(refusal(status, { error: { code: status, message, status: name } }));
    expect((await errorOf(ask)).code).toBe(code);
  });
});
