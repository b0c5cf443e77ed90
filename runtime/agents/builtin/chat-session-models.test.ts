import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  anthropicAnswer,
  openaiAnswer,
  type ProviderServer,
  startProviderServer,
} from '../fixtures/provider-server.ts';
import type { TestAgents } from '../fixtures/start-agents.ts';
import { type ChatSetup, endChats, KEY, startChat } from '../fixtures/start-chat.ts';

let server: ProviderServer;
const houses: TestAgents[] = [];

beforeAll(async () => {
  server = await startProviderServer();
});
beforeEach(() => {
  server.calls.length = 0;
});
afterEach(() => endChats(houses));
afterAll(() => server.close());

const chat = (setup: ChatSetup) => startChat(setup, houses);
const openai = (): ChatSetup => ({
  settings: { openaiApiKey: KEY, openaiBaseUrl: `${server.url}/v1` },
  model: 'openai/test-model',
});

describe('the model that answers', () => {
  const OPTION = {
    id: 'model',
    name: 'Model',
    description: 'Answers from the next prompt on',
    category: 'model',
  };

  it('is told, also when it is the only one', async () => {
    server.answerWith(openaiAnswer(['ok']));
    const ask = await chat(openai());
    await ask('hello', { sessionId: 'told' }).result;
    expect(ask.optionsOf('told')).toEqual([
      {
        ...OPTION,
        value: 'openai/test-model',
        choices: [{ value: 'openai/test-model', name: 'OpenAI: test-model' }],
      },
    ]);
  });

  it('can be switched among the providers that are set up, from the next turn on, in this session', async () => {
    const { settings, ...rest } = openai();
    const ask = await chat({
      ...rest,
      settings: { ...settings, anthropicApiKey: KEY },
      environment: { ANTHROPIC_BASE_URL: `${server.url}/v1` },
    });
    server.answerWith(openaiAnswer(['one']), anthropicAnswer('Well.', ['two']), openaiAnswer(['three']));
    await ask('first', { sessionId: 'switched' }).result;
    const values = () => ask.optionsOf('switched')?.map(({ value, choices }) => ({ value, choices }));
    const choices = [
      { value: 'openai/test-model', name: 'OpenAI: test-model' },
      { value: 'anthropic/claude-sonnet-5-5', name: 'Anthropic: claude-sonnet-5-5' },
    ];
    expect(values()).toEqual([{ value: 'openai/test-model', choices }]);

    await ask.setOption('switched', 'model', 'anthropic/claude-sonnet-5-5');
    expect(values()).toEqual([{ value: 'anthropic/claude-sonnet-5-5', choices }]);
    const second = ask('second', { sessionId: 'switched' });
    await second.result;
    expect(second.text()).toBe('two');
    expect(server.calls[1]).toMatchObject({ path: '/v1/messages', body: { model: 'claude-sonnet-5-5' } });
    expect(JSON.stringify(server.calls[1]?.body.messages), 'it knows what the other one said').toContain(
      'one',
    );

    await ask('another session', { sessionId: 'not switched' }).result;
    expect(server.calls[2]?.body.model).toBe('test-model');
    await expect(ask.setOption('switched', 'model', 'gemini/gemini-flash-latest')).rejects.toMatchObject({
      code: 'session.mode_unknown',
    });
  });

  it('of a server of one’s own is told as soon as that has named it', async () => {
    server.answerWith(
      (_call, response) => void response.end(JSON.stringify({ data: [{ id: 'llama-local' }] })),
      openaiAnswer(['local']),
    );
    const ask = await chat({ settings: { openaiBaseUrl: `${server.url}/v1` } });
    await ask('hello', { sessionId: 'own' }).result;
    expect(ask.optionsOf('own')).toEqual([
      {
        ...OPTION,
        value: 'openai/llama-local',
        choices: [{ value: 'openai/llama-local', name: 'OpenAI: llama-local' }],
      },
    ]);
  });

  it('is not told where there is none', async () => {
    const ask = await chat({});
    await expect(ask('hello', { sessionId: 'none' }).result).rejects.toMatchObject({
      code: 'provider.key_missing',
    });
    expect(ask.optionsOf('none')).toEqual([]);
  });
});
