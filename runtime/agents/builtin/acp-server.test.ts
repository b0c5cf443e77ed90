import { client, methods, ndJsonStream, PROTOCOL_VERSION } from '@agentclientprotocol/sdk';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import * as server from './acp-server.ts';
import { AgentApp, RequestError } from './acp-server.ts';

/** What an app says to some text. */
async function exchange(app: AgentApp, ...pieces: string[]): Promise<unknown[]> {
  const written: unknown[] = [];
  const take = app.connect(async (text) => void written.push(JSON.parse(text)));
  for (const piece of pieces) take(piece);
  await new Promise((resolve) => setImmediate(resolve));
  return written;
}

const request = (id: unknown, method: string, params: unknown = {}) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;

const echoing = () =>
  new AgentApp().onRequest(
    '_test/echo',
    (params) => params,
    ({ params }) => params,
  );

describe('the server of the built-in agents', () => {
  it('speaks the version of the protocol that the library speaks', () => {
    expect(server.PROTOCOL_VERSION).toBe(PROTOCOL_VERSION);
  });

  it('is understood by the client of the library, in both directions', async () => {
    const toAgent = new TransformStream<Uint8Array>();
    const toClient = new TransformStream<Uint8Array>();
    const writer = toClient.writable.getWriter();
    const app = new AgentApp()
      .onRequest('initialize', () => ({ protocolVersion: PROTOCOL_VERSION, agentCapabilities: {} }))
      .onRequest('session/new', () => ({ sessionId: 's1' }))
      .onRequest('session/prompt', async ({ params, client: other }) => {
        await other.notify('session/update', {
          sessionId: params.sessionId,
          update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'hi' } },
        });
        const { outcome } = await other.request<{ outcome: { optionId: string } }>(
          'session/request_permission',
          {
            sessionId: params.sessionId,
            toolCall: { toolCallId: 't1', title: 'Try' },
            options: [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }],
          },
        );
        return { stopReason: outcome.optionId === 'yes' ? ('end_turn' as const) : ('refusal' as const) };
      });
    const take = app.connect((text) => writer.write(new TextEncoder().encode(text)));
    const reading = toAgent.readable.getReader();
    void (async () => {
      for (;;) {
        const { done, value } = await reading.read();
        if (done) return;
        take(new TextDecoder().decode(value));
      }
    })();
    const updates: unknown[] = [];
    const connection = client({ name: 'test' })
      .onRequest(methods.client.session.requestPermission, () => ({
        outcome: { outcome: 'selected', optionId: 'yes' },
      }))
      .onNotification(methods.client.session.update, ({ params }) => void updates.push(params.update))
      .connect(ndJsonStream(toAgent.writable, toClient.readable));
    expect(
      await connection.agent.request(methods.agent.initialize, {
        protocolVersion: 1,
        clientCapabilities: {},
      }),
    ).toMatchObject({ protocolVersion: 1 });
    const { sessionId } = await connection.agent.request(methods.agent.session.new, {
      cwd: '/',
      mcpServers: [],
    });
    expect(
      await connection.agent.request(methods.agent.session.prompt, {
        sessionId,
        prompt: [{ type: 'text', text: 'go' }],
      }),
    ).toEqual({ stopReason: 'end_turn' });
    expect(updates).toEqual([
      { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'hi' } },
    ]);
    connection.close();
    await Promise.allSettled([writer.abort(), reading.cancel()]);
  });

  it('puts lines together, wherever they were cut', async () => {
    const text = `\n${request(1, '_test/echo', { word: 'grüße' })}${request('two', '_test/echo')}`;
    expect(await exchange(echoing(), ...text)).toEqual([
      { jsonrpc: '2.0', id: 1, result: { word: 'grüße' } },
      { jsonrpc: '2.0', id: 'two', result: {} },
    ]);
  });

  it('answers what it cannot take, and goes on', async () => {
    const app = echoing()
      .onRequest('session/new', () => {
        throw RequestError.sessionNotFound('gone');
      })
      .onRequest('session/prompt', () => {
        throw new TypeError('It broke');
      });
    expect(
      await exchange(
        app,
        'no json\n',
        '[1]\n',
        request(1, 'unknown/method'),
        request(2, 'session/new'),
        request(3, 'session/prompt'),
        request(4, '_test/echo'),
      ),
    ).toEqual([
      { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'Parse error' } },
      { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'Invalid request' } },
      expect.objectContaining({ id: 1, error: expect.objectContaining({ code: -32601 }) }),
      expect.objectContaining({
        id: 2,
        error: expect.objectContaining({ code: -32002, data: { sessionId: 'gone' } }),
      }),
      expect.objectContaining({
        id: 3,
        error: expect.objectContaining({ code: -32603, data: { details: 'It broke' } }),
      }),
      { jsonrpc: '2.0', id: 4, result: {} },
    ]);
  });

  it('passes over notifications that it does not know, and answers that nobody waits for', async () => {
    expect(
      await exchange(
        echoing(),
        '{"jsonrpc":"2.0","method":"_vendor/news"}\n',
        '{"jsonrpc":"2.0","id":77,"result":{}}\n',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n',
      ),
    ).toEqual([]);
  });

  it('outlives a notification that cannot be taken', async () => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => stderr.mockRestore());
    const app = echoing().onNotification('session/cancel', ({ params }) => {
      throw new Error(`Cannot cancel ${params.sessionId}`);
    });
    expect(
      await exchange(
        app,
        '{"jsonrpc":"2.0","method":"session/cancel","params":{}}\n',
        '{"jsonrpc":"2.0","method":"session/cancel"}\n',
        request(1, '_test/echo'),
      ),
    ).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
  });

  it('rejects what it asks with what the client answers', async () => {
    let told: unknown;
    const app = new AgentApp().onRequest(
      '_test/ask',
      (params) => params,
      async ({ client: other }) => {
        told = await other.request('_client/question', {}).catch((error: unknown) => error);
        return {};
      },
    );
    await exchange(
      app,
      request(1, '_test/ask'),
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found","data":{"a":1}}}\n',
    );
    expect(told).toMatchObject({ code: -32601, message: 'Method not found', data: { a: 1 } });
  });
});
