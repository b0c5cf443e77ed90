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
    ).toEqual([{ kind: 'plan', text: '[x] Look\n[~] Think\n[ ] Write' }]);
  });

  it.each([
    [{ sessionUpdate: 'hologram', depth: 3 }],
    [
      {
        sessionUpdate: 'agent_message_chunk',
        content: { type: 'image', data: 'AA==', mimeType: 'image/png' },
      },
    ],
    [{ sessionUpdate: 'agent_message_chunk' }],
    [{ sessionUpdate: 'tool_call', title: 'without an id' }],
    [{ sessionUpdate: 'tool_call_update', toolCallId: 'x', status: 'exploded' }],
    [{ sessionUpdate: 'plan', entries: 'none' }],
    ['text'],
    [null],
  ])('keeps raw what it does not know: %j', (update) => {
    expect(map(update)).toEqual([{ kind: 'raw', raw: update }]);
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
