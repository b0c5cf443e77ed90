import { afterEach, describe, expect, it, vi } from 'vitest';
import { CLIENT_INFO, type ConnectedAgent, connectAgent } from '../fixtures/connect-agent.ts';
import { misbehaving } from '../fixtures/start-agents.ts';

let agent: ConnectedAgent;

afterEach(() => agent.end());

async function initialized(behaviour: string, argument: unknown = '') {
  const text = typeof argument === 'string' ? argument : JSON.stringify(argument);
  agent = await connectAgent(misbehaving(behaviour, text).args);
  await agent.connection.initialize(CLIENT_INFO);
  return agent;
}

const TEXT_FILE = { name: 'a.txt', mimeType: 'text/plain', bytes: new TextEncoder().encode('inside') };
const IMAGE = { name: 'a.png', mimeType: 'image/png', bytes: Uint8Array.of(0, 1) };

describe('attachments', () => {
  it('go to an agent that takes them as what they are', async () => {
    const { prompt } = await initialized('repeats-blocks', { image: true, embeddedContext: true });
    const turn = prompt('look', { attachments: [TEXT_FILE, IMAGE] });
    await turn.result;
    expect(JSON.parse(turn.text())).toMatchObject([
      { type: 'text', text: 'look' },
      { type: 'resource', resource: { text: 'inside' } },
      { type: 'image', data: 'AAE=' },
    ]);
  });

  it('that the agent does not take fail the prompt before it is sent', async () => {
    const { prompt, frames } = await initialized('repeats-blocks', {});
    const turn = prompt('look', { attachments: [TEXT_FILE, IMAGE] });
    await expect(turn.result).rejects.toMatchObject({ code: 'session.attachment_unsupported' });
    expect(frames.list(0).map(({ method }) => method)).toEqual(['initialize', 'initialize']);
  });

  it('follow the preface of a session that is primed', async () => {
    const { prompt } = await initialized('repeats-blocks', {});
    const turn = prompt('look', {
      attachments: [TEXT_FILE],
      history: async () => [{ role: 'user', text: 'before' }],
    });
    expect(await turn.result).toMatchObject({ knownBy: 'primed' });
    const blocks = JSON.parse(turn.text()) as { text: string }[];
    expect(blocks).toHaveLength(2);
    expect(blocks[0]?.text).toMatch(/^<earlier-conversation>[\s\S]*before[\s\S]*look$/);
    const second = prompt('again');
    await second.result;
    expect(JSON.parse(second.text())).toEqual([{ type: 'text', text: 'again' }]);
  });
});

describe('a permission', () => {
  it('is asked with the tool call, which is told as an update, too', async () => {
    const { prompt } = await initialized('asks-permission');
    const turn = prompt('hi', {});
    await turn.result;
    const toolCall = { toolCallId: 't1', title: 'Delete everything', kind: 'delete', status: 'pending' };
    expect(turn.permissions[0]?.request).toEqual({
      toolCall,
      options: [
        { id: 'yes', name: 'Yes', kind: 'allow_once' },
        { id: 'no', name: 'No', kind: 'reject_once' },
      ],
      cwd: '/',
    });
    expect(turn.updates[0]).toEqual({ kind: 'tool_call', toolCall });
    expect(turn.permissions[0]?.signal.aborted).toBe(true);
  });

  it.each([
    ['nobody answers', async () => undefined],
    ['an option is chosen that was not offered', async () => 'maybe'],
    [
      'asking fails',
      async () => {
        throw new Error('storage is away');
      },
    ],
  ])('is answered with cancelled when %s', async (_when, onPermission) => {
    const { prompt } = await initialized('asks-permission');
    const turn = prompt('hi', { onPermission });
    await turn.result;
    expect(turn.text()).toBe('{"outcome":{"outcome":"cancelled"}}');
  });

  it('that the agent takes back is asked no more', async () => {
    const { prompt } = await initialized('takes-its-question-back');
    const signals: AbortSignal[] = [];
    const turn = prompt('hi', {
      onPermission: (_request, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
    expect(turn.text()).toBe('{"outcome":{"outcome":"cancelled"}}');
    expect(signals[0]?.aborted).toBe(true);
  });

  it('is asked although its tool call could not be taken', async () => {
    const { prompt } = await initialized('asks-permission');
    const turn = prompt('hi', { onUpdate: async () => Promise.reject(new Error('no room')) });
    expect(await turn.result).toMatchObject({ stopReason: 'end_turn' });
    expect(turn.permissions).toHaveLength(1);
  });

  it('waits for no one any more when the process is gone', async () => {
    const { prompt, connection } = await initialized('asks-permission');
    const signals: AbortSignal[] = [];
    const turn = prompt('hi', {
      onPermission: (_request, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    await vi.waitFor(() => expect(signals).toHaveLength(1));
    await connection.process.kill();
    await expect(turn.result).rejects.toMatchObject({ code: 'agent.crashed' });
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe('a question', () => {
  const schema = { type: 'object', properties: { name: { type: 'string' } } };

  it('is asked, and its answer told', async () => {
    const { prompt } = await initialized('asks-questions', { mode: 'form', requestedSchema: schema });
    const turn = prompt('hi', {
      onQuestion: async ({ message, fields }) => ({
        action: 'accept',
        values: { name: `${message}: ${fields.map(({ name }) => name)}` },
      }),
    });
    await turn.result;
    expect(JSON.parse(turn.text())).toEqual({ action: 'accept', content: { name: 'Tell me: name' } });
  });

  it.each([
    [{ mode: 'url', url: 'https://example.com', elicitationId: '1' }, 'decline'],
    [{ mode: 'form', requestedSchema: { properties: 7 } }, 'decline'],
    [{ mode: 'form', requestedSchema: schema, sessionId: 'another' }, 'cancel'],
    [{ mode: 'form', requestedSchema: schema, sessionId: null, requestId: 1 }, 'cancel'],
  ])('that cannot be shown is not: %j', async (asked, action) => {
    const { prompt } = await initialized('asks-questions', asked);
    const turn = prompt('hi');
    await turn.result;
    expect(JSON.parse(turn.text())).toEqual({ action });
  });
});
