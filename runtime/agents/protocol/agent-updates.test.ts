import { describe, expect, it } from 'vitest';
import { UpdateMapper } from './agent-updates.ts';

const map = (...updates: unknown[]) => {
  const mapper = new UpdateMapper();
  return updates.map((update) => mapper.map(update));
};

describe('the updates of an agent', () => {
  it('takes text and thoughts', () => {
    expect(
      map(
        { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'Hello ' }, messageId: 'm1' },
        { sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'hm' } },
      ),
    ).toEqual([
      { kind: 'text', text: 'Hello ' },
      { kind: 'thought', text: 'hm' },
    ]);
  });

  it('merges the pieces of a tool call, each call for itself', () => {
    const told = map(
      { sessionUpdate: 'tool_call', toolCallId: 'a', title: 'Read file', kind: 'read' },
      { sessionUpdate: 'tool_call', toolCallId: 'b', title: 'Run' },
      { sessionUpdate: 'tool_call_update', toolCallId: 'a', status: 'in_progress', title: null },
      {
        sessionUpdate: 'tool_call_update',
        toolCallId: 'a',
        status: 'completed',
        content: [
          { type: 'content', content: { type: 'text', text: 'line' } },
          { type: 'diff', path: '/f', oldText: 'a\nb', newText: 'c' },
          { type: 'hologram', depth: 3 },
        ],
      },
    );
    expect(told[1]).toEqual({
      kind: 'tool_call',
      toolCall: { toolCallId: 'b', title: 'Run', status: 'pending' },
    });
    expect(told[2]).toEqual({
      kind: 'tool_call',
      toolCall: { toolCallId: 'a', title: 'Read file', kind: 'read', status: 'in_progress' },
    });
    expect(told[3]).toEqual({
      kind: 'tool_call',
      toolCall: {
        toolCallId: 'a',
        title: 'Read file',
        kind: 'read',
        status: 'completed',
        content: 'line\n/f\n- a\n- b\n+ c\n{"type":"hologram","depth":3}',
        parts: [
          { type: 'text', text: 'line' },
          { type: 'diff', path: '/f', oldText: 'a\nb', newText: 'c' },
          { type: 'raw', raw: { type: 'hologram', depth: 3 } },
        ],
      },
    });
  });

  it('takes an update of a tool call whose beginning was never told', () => {
    expect(map({ sessionUpdate: 'tool_call_update', toolCallId: 'x', status: 'failed' })).toEqual([
      { kind: 'tool_call', toolCall: { toolCallId: 'x', title: 'x', status: 'failed' } },
    ]);
  });

  it('writes a plan as text', () => {
    expect(
      map({
        sessionUpdate: 'plan',
        entries: [
          { content: 'Look', priority: 'high', status: 'completed' },
          { content: 'Think', priority: 'high', status: 'in_progress' },
          { content: 'Write', priority: 'low', status: 'pending' },
        ],
      }),
    ).toEqual([
      {
        kind: 'plan',
        text: '[x] Look\n[~] Think\n[ ] Write',
        plan: [
          { content: 'Look', priority: 'high', status: 'completed' },
          { content: 'Think', priority: 'high', status: 'in_progress' },
          { content: 'Write', priority: 'low', status: 'pending' },
        ],
      },
    ]);
  });

  it.each([
    [{ sessionUpdate: 'hologram', depth: 3 }],
    [{ sessionUpdate: 'agent_message_chunk' }],
    [{ sessionUpdate: 'agent_message_chunk', content: { text: 'of what type?' } }],
    [
      {
        sessionUpdate: 'agent_thought_chunk',
        content: { type: 'image', data: 'AA==', mimeType: 'image/png' },
      },
    ],
    [{ sessionUpdate: 'tool_call', title: 'without an id' }],
    [{ sessionUpdate: 'tool_call_update', toolCallId: 'x', status: 'exploded' }],
    [{ sessionUpdate: 'plan', entries: 'none' }],
    ['text'],
    [null],
  ])('keeps raw what it does not know: %j', (update) => {
    expect(map(update)).toEqual([{ kind: 'raw', raw: update }]);
  });

  it.each([
    [{ type: 'image', data: 'AA==', mimeType: 'image/png' }, '[image: image/png]'],
    [{ type: 'resource_link', uri: 'file:///a.md', name: 'a.md' }, '[resource_link: a.md]'],
    [{ type: 'resource', resource: { uri: 'file:///a.md', text: 'the text' } }, 'the text'],
    [{ type: 'hologram' }, '[hologram]'],
  ])('takes a part of the answer that is no text: %j', (content, text) => {
    expect(map({ sessionUpdate: 'agent_message_chunk', content })).toEqual([
      { kind: 'content', text, content },
    ]);
  });

  it('takes images, terminals, places, input and output of a tool call', () => {
    const [told] = map({
      sessionUpdate: 'tool_call',
      toolCallId: 'a',
      title: 'Look',
      locations: [
        { path: '/f', line: 3 },
        { path: '/g', line: null },
      ],
      rawInput: { path: '/f' },
      rawOutput: 'out',
      content: [
        { type: 'content', content: { type: 'image', data: 'AA==', mimeType: 'image/png' } },
        { type: 'terminal', terminalId: 't1' },
        { type: 'content', content: { type: 'resource_link', uri: 'file:///a', name: 'a' } },
      ],
    });
    expect(told).toMatchObject({
      toolCall: {
        locations: [{ path: '/f', line: 3 }, { path: '/g' }],
        rawInput: { path: '/f' },
        rawOutput: 'out',
        content: '[image: image/png]\n[terminal]\n[resource_link: a]',
        parts: [
          { type: 'image', data: 'AA==', mimeType: 'image/png' },
          { type: 'terminal', terminalId: 't1' },
          { type: 'raw', raw: { type: 'content', content: { uri: 'file:///a' } } },
        ],
      },
    });
  });

  it('keeps what an update of a tool call does not tell', () => {
    const told = map(
      {
        sessionUpdate: 'tool_call',
        toolCallId: 'a',
        title: 'A',
        rawInput: { a: 1 },
        locations: [{ path: '/f' }],
      },
      { sessionUpdate: 'tool_call_update', toolCallId: 'a', status: 'completed', rawOutput: 7 },
    );
    expect(told[1]).toEqual({
      kind: 'tool_call',
      toolCall: {
        toolCallId: 'a',
        title: 'A',
        status: 'completed',
        rawInput: { a: 1 },
        rawOutput: 7,
        locations: [{ path: '/f' }],
      },
    });
  });

  it('bounds what it keeps, in size and in depth', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    const long = 'x'.repeat(1_000_000);
    const told = map(
      { sessionUpdate: 'hologram', deep },
      {
        sessionUpdate: 'tool_call',
        toolCallId: 'a',
        title: long,
        rawInput: deep,
        rawOutput: long,
        content: [
          ...Array(1000).fill({ type: 'content', content: { type: 'text', text: long } }),
          { type: 'content', content: { type: 'image', mimeType: 'image/png', data: 'A'.repeat(9_000_000) } },
        ],
      },
      { sessionUpdate: 'plan', entries: Array(10_000).fill({ content: 'again' }) },
    );
    expect(JSON.stringify(told[0])).toContain('left out');
    expect(JSON.stringify(told[1]).length).toBeLessThan(16_000_000);
    expect(told[1]).toMatchObject({
      toolCall: {
        title: expect.stringMatching(/^x{2000}\n\[cut/),
        rawInput: expect.stringContaining('left out'),
        rawOutput: expect.stringContaining('left out'),
      },
    });
    expect(told[2]).toMatchObject({ plan: { length: 500 } });
  });

  it('leaves out what is not for the transcript', () => {
    expect(
      map(
        { sessionUpdate: 'available_commands_update', availableCommands: [] },
        { sessionUpdate: 'usage_update', used: 1, size: 2 },
      ),
    ).toEqual([undefined, undefined]);
  });
});
