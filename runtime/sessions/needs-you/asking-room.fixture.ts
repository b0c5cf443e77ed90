/** The room with what the tests of "Needs you" do again and again. */
import { expect } from 'vitest';
import type { PermissionRequest, QuestionRequest } from '../../agents/agents.ts';
import type { NeedsYouItem } from '../../contract/index.ts';
import { context, eventually, openSessions } from '../sessions.fixture.ts';
import type { NeedsYouAnswer, NeedsYouQuery } from './needs-you.ts';

export function permission(changed: Partial<PermissionRequest['toolCall']> = {}): PermissionRequest {
  return {
    toolCall: { toolCallId: 't1', title: 'Delete build/', kind: 'delete', status: 'pending', ...changed },
    options: [
      { id: 'yes', name: 'Allow', kind: 'allow_once' },
      { id: 'ever', name: 'Always allow', kind: 'allow_always' },
      { id: 'no', name: 'Reject', kind: 'reject_once' },
    ],
    cwd: '/project',
  };
}

export async function openAskingRoom() {
  const room = await openSessions();

  const list = async (query: Partial<NeedsYouQuery> = {}) =>
    (await room.needsYou.list({ limit: 50, state: 'waiting', ...query })).items;

  return {
    ...room,
    list,
    answer: (id: string, optionId: string, rest: Partial<NeedsYouAnswer> = {}) =>
      room.needsYou.answer({ id, optionId, remember: false, ...rest }, { correlationId: 'answering' }),
    /** A running turn; `ask` and `question` ask in it. */
    async running(agentId = 'echo') {
      const { id } = await room.sessions.create({ message: 'go', agentId }, context);
      const prompt = room.lastPrompt();
      const abort = new AbortController();
      return {
        id,
        prompt,
        abort,
        ask: (request: PermissionRequest = permission()) =>
          prompt.request.onPermission(request, abort.signal),
        question: (request: QuestionRequest) => prompt.request.onQuestion(request, abort.signal),
      };
    },
    /** Resolves with the items once there are so many. */
    waiting: (count: number) =>
      eventually(async () => {
        const items = await list();
        expect(items).toHaveLength(count);
        return items as [NeedsYouItem, ...NeedsYouItem[]];
      }),
  };
}

export type AskingRoom = Awaited<ReturnType<typeof openAskingRoom>>;
