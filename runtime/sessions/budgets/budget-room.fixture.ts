/** The room with what the tests of the budgets do again and again. */
import type { BudgetNotice, Budgets, NeedsYouItem } from '../../contract/index.ts';
import { context, openSessions } from '../sessions.fixture.ts';

export const tokens = (count: number) => ({ inputTokens: count, outputTokens: 0 });

export async function openBudgetRoom() {
  const room = await openSessions();

  /** A running turn of a new session. */
  async function running(agentId = 'echo') {
    const { id, lastTurn } = await room.sessions.create({ message: 'go', agentId }, context);
    return { id, turnId: lastTurn?.id ?? '', prompt: room.lastPrompt() };
  }

  /** One more turn of a session, running. */
  async function again(id: string) {
    const turn = await room.sessions.prompt({ id, message: 'again' }, context);
    return { id, turnId: turn.id, prompt: room.lastPrompt() };
  }

  return {
    ...room,
    running,
    again,
    /** One turn from beginning to end that uses so many tokens. */
    async spend(id: string, count: number) {
      const { prompt } = await again(id);
      prompt.answer({ stopReason: 'end_turn', usage: tokens(count) });
      return room.settled(id);
    },
    set: (budgets: Budgets) => room.budgets.set({ budgets }, context),
    noticesOf: (type: 'budget.notice' | 'budget.exhausted') =>
      room.told.filter((event) => event.type === type).map((event) => event.data as BudgetNotice),
    waiting: async () =>
      (await room.needsYou.list({ state: 'waiting', limit: 50 })).items as [NeedsYouItem, ...NeedsYouItem[]],
    answer: (item: NeedsYouItem, optionId: string, raiseTo?: number) =>
      room.needsYou.answer(
        { id: item.id, optionId, remember: false, ...(raiseTo === undefined ? {} : { raiseTo }) },
        context,
      ),
  };
}
