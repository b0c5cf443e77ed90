import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PermissionRequest, QuestionRequest } from '../../agents/agents.ts';
import { fault, type NeedsYouItem } from '../../contract/index.ts';
import { context, type OpenSessions, openSessions } from '../sessions.fixture.ts';
import type { NeedsYouAnswer, NeedsYouQuery } from './needs-you.ts';

let room: OpenSessions;

beforeEach(async () => {
  room = await openSessions();
});

afterEach(() => room.close());

const list = async (query: Partial<NeedsYouQuery> = {}) =>
  (await room.needsYou.list({ limit: 50, state: 'waiting', ...query })).items;
const answer = (id: string, optionId: string, rest: Partial<NeedsYouAnswer> = {}) =>
  room.needsYou.answer({ id, optionId, remember: false, ...rest }, { correlationId: 'answering' });

function permission(changed: Partial<PermissionRequest['toolCall']> = {}): PermissionRequest {
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

/** A running turn; `ask` asks in it. */
async function running(agentId = 'echo') {
  const { id } = await room.sessions.create({ message: 'go', agentId }, context);
  const prompt = room.lastPrompt();
  const abort = new AbortController();
  return {
    id,
    prompt,
    abort,
    ask: (request: PermissionRequest = permission()) => prompt.request.onPermission(request, abort.signal),
    question: (request: QuestionRequest) => prompt.request.onQuestion(request, abort.signal),
  };
}

/** Resolves with the items once there are so many. */
const waiting = (count: number) =>
  vi.waitFor(async () => {
    const items = await list();
    expect(items).toHaveLength(count);
    return items as [NeedsYouItem, ...NeedsYouItem[]];
  });

describe('a permission', () => {
  test('waits durably, shows in its session and its agent, and is answered once', async () => {
    const { id, ask, prompt } = await running();
    const asked = ask();
    const [item] = await waiting(1);
    expect(item).toMatchObject({
      kind: 'permission',
      state: 'waiting',
      agentId: 'echo',
      sessionId: id,
      title: 'Delete build/',
      cwd: '/project',
      toolCall: { kind: 'delete' },
    });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'needs-you', waitingForYou: 1 });
    expect(room.agents.waiting.get('echo')).toBe(1);

    expect(await answer(item.id, 'yes')).toMatchObject({
      state: 'answered',
      answer: { optionId: 'yes', by: 'user' },
    });
    expect(await asked).toBe('yes');
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
    expect(room.agents.waiting.get('echo')).toBe(0);
    await expect(answer(item.id, 'no')).rejects.toMatchObject({
      code: 'needs_you.already_answered',
      data: { answer: { optionId: 'yes' } },
    });
    prompt.answer({ stopReason: 'end_turn' });
    expect(await room.settled(id)).toMatchObject({ status: 'idle' });
    expect(await list({ state: 'answered' })).toMatchObject([{ id: item.id }]);
  });

  test('is stored in one commit with the status of its session and the event', async () => {
    const { id, ask } = await running();
    const commit = vi.spyOn(room.storage, 'commit');
    void ask();
    await waiting(1);
    const [operations] = commit.mock.calls.find(([all]) =>
      all.some((operation) => operation.kind === 'put' && operation.collection === 'needs_you'),
    ) ?? [[]];
    expect(
      operations.map((operation) => (operation.kind === 'append' ? operation.log : operation.kind)),
    ).toEqual(['put', 'put', 'events', 'events']);
    expect(room.told.filter(({ type }) => type === 'needs_you.asked')).toMatchObject([{ subject: id }]);
  });

  test('answered by two at once is answered by one', async () => {
    const { ask } = await running();
    const asked = ask();
    const [item] = await waiting(1);
    const results = await Promise.allSettled(['yes', 'no', 'ever'].map((option) => answer(item.id, option)));
    const won = results.flatMap((result) =>
      result.status === 'fulfilled' ? result.value.answer?.optionId : [],
    );
    expect(won).toHaveLength(1);
    expect(await asked).toBe(won[0]);
    const lost = results.flatMap((result) => (result.status === 'rejected' ? result.reason.code : []));
    expect(lost).toEqual(Array(2).fill('needs_you.already_answered'));
  });

  test('what is none of its options is refused, and it waits on', async () => {
    const { ask } = await running();
    void ask();
    const [item] = await waiting(1);
    await expect(answer(item.id, 'perhaps')).rejects.toMatchObject({
      code: 'needs_you.unknown_option',
      data: { options: ['yes', 'ever', 'no'] },
    });
    await waiting(1);
    await expect(answer('nothing', 'yes')).rejects.toMatchObject({ code: 'needs_you.not_found' });
  });

  test('several wait beside one another, the oldest first, and the session until the last is answered', async () => {
    const { id, ask } = await running();
    const first = ask(permission({ title: 'One' }));
    await waiting(1);
    await room.clock.advance(10);
    const second = ask(permission({ title: 'Two' }));
    const items = await waiting(2);
    expect(items.map(({ title }) => title)).toEqual(['One', 'Two']);
    await answer(items[1]?.id ?? '', 'no');
    expect(await second).toBe('no');
    expect((await room.sessions.get(id)).status).toBe('needs-you');
    await answer(items[0].id, 'yes');
    expect(await first).toBe('yes');
    expect((await room.sessions.get(id)).status).toBe('busy');
  });

  test('without any option is not asked at all', async () => {
    const { ask } = await running();
    expect(await ask({ ...permission(), options: [] })).toBeUndefined();
    expect(await list()).toEqual([]);
  });

  test('minutes in which the turn waits are not counted', async () => {
    const { id, ask, prompt } = await running();
    await room.clock.advance(60_000);
    const asked = ask();
    const [item] = await waiting(1);
    await room.clock.advance(3_600_000);
    await answer(item.id, 'yes');
    await asked;
    await room.clock.advance(60_000);
    prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    expect((await room.budgets.state()).today.minutes).toBeCloseTo(2, 5);
  });
});

describe('withdrawn', () => {
  test.each([
    [
      'the turn ends',
      async (turn: Awaited<ReturnType<typeof running>>) => turn.prompt.answer({ stopReason: 'end_turn' }),
    ],
    ['the process dies', async (turn) => turn.prompt.fail(fault('agent.crashed', 'It is gone.'))],
    [
      'the turn is cancelled',
      async (turn) => {
        const cancelled = room.sessions.cancel(turn.id, context);
        turn.prompt.answer({ stopReason: 'cancelled' });
        await cancelled;
      },
    ],
  ] as [string, (turn: Awaited<ReturnType<typeof running>>) => Promise<void>][])(
    'when %s, and a late answer is told so',
    async (_, happen) => {
      const turn = await running();
      const asked = turn.ask();
      const [item] = await waiting(1);
      await happen(turn);
      expect(await asked).toBeUndefined();
      expect(await room.settled(turn.id)).toMatchObject({ waitingForYou: 0 });
      expect(await room.needsYou.get(item.id)).toMatchObject({
        state: 'withdrawn',
        withdrawnBecause: expect.stringContaining('turn'),
      });
      await expect(answer(item.id, 'yes')).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
      expect(room.agents.waiting.get('echo')).toBe(0);
    },
  );

  test('when the agent stops waiting, while the turn goes on', async () => {
    const { id, ask, abort } = await running();
    const asked = ask();
    const [item] = await waiting(1);
    abort.abort();
    expect(await asked).toBeUndefined();
    await vi.waitFor(async () =>
      expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 }),
    );
    await expect(answer(item.id, 'yes')).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
  });

  test('an answer that the end of the turn overtakes is told so, and the agent never has it', async () => {
    const { id, ask, abort } = await running();
    const asked = ask();
    const [item] = await waiting(1);
    const commit = room.storage.commit.bind(room.storage);
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      reached.resolve();
      await gate.promise;
      return commit(operations);
    });
    const answering = answer(item.id, 'yes');
    await reached.promise;
    abort.abort();
    gate.resolve();
    await expect(answering).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
    expect(await asked).toBeUndefined();
    expect(await room.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
  });

  test('when the app was killed: nothing waits and nothing runs after the next start', async () => {
    const { id, ask } = await running();
    void ask();
    const [item] = await waiting(1);
    const next = room.make();
    await next.sessions.start();
    expect(await next.sessions.get(id)).toMatchObject({ status: 'interrupted', waitingForYou: 0 });
    expect(await next.needsYou.get(item.id)).toMatchObject({ state: 'withdrawn' });
    await expect(
      next.needsYou.answer({ id: item.id, optionId: 'yes', remember: false }, context),
    ).rejects.toMatchObject({ code: 'needs_you.withdrawn' });
    await next.sessions.stop();
  });

  test('a permission that is asked for after the turn has ended is not', async () => {
    const { id, ask, prompt } = await running();
    prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    expect(await ask()).toBeUndefined();
    expect(await list()).toEqual([]);
  });

  test('a deleted session takes its items along', async () => {
    const { id, ask, prompt } = await running();
    void ask();
    const [item] = await waiting(1);
    const deleted = room.sessions.delete(id, context);
    await vi.waitFor(() => expect(prompt.request.signal.aborted).toBe(true));
    prompt.answer({ stopReason: 'cancelled' });
    await deleted;
    await expect(room.needsYou.get(item.id)).rejects.toMatchObject({ code: 'needs_you.not_found' });
  });
});

describe('while the storage takes nothing', () => {
  test('a question that cannot be stored ends the turn instead of waiting unseen', async () => {
    const { id, ask, prompt } = await running();
    const commit = vi.spyOn(room.storage, 'commit').mockRejectedValue(fault('storage.full', 'Full.'));
    expect(await ask()).toBeUndefined();
    expect(prompt.request.signal.aborted).toBe(true);
    commit.mockRestore();
    prompt.answer({ stopReason: 'cancelled' });
    expect(await room.settled(id)).toMatchObject({
      waitingForYou: 0,
      lastTurn: { state: 'failed', error: { code: 'storage.full' } },
    });
    expect(await list()).toEqual([]);
  });

  test('an answer that the storage took although it said no reaches the agent with the next try', async () => {
    const { ask } = await running();
    const asked = ask();
    const [item] = await waiting(1);
    const commit = room.storage.commit.bind(room.storage);
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      await commit(operations);
      throw fault('storage.failed', 'Nobody knows.');
    });
    await expect(answer(item.id, 'yes')).rejects.toMatchObject({ code: 'storage.failed' });
    expect(await answer(item.id, 'yes')).toMatchObject({ state: 'answered' });
    expect(await asked).toBe('yes');
  });

  test('an answer that it did not take can be given again', async () => {
    const { ask } = await running();
    const asked = ask();
    const [item] = await waiting(1);
    vi.spyOn(room.storage, 'commit').mockRejectedValueOnce(fault('storage.full', 'Full.'));
    await expect(answer(item.id, 'yes')).rejects.toMatchObject({ code: 'storage.full' });
    expect(await answer(item.id, 'no')).toMatchObject({ answer: { optionId: 'no' } });
    expect(await asked).toBe('no');
  });
});

describe('a policy', () => {
  test('"always here" answers the next of its kind without asking, and says so in the history', async () => {
    const { id, ask } = await running();
    const first = ask();
    const [item] = await waiting(1);
    await answer(item.id, 'yes', { remember: true });
    expect(await first).toBe('yes');
    await room.clock.advance(1);
    expect(await ask()).toBe('yes');
    expect((await room.sessions.get(id)).status).toBe('busy');
    const [policy] = await room.needsYou.policies('echo');
    expect(policy).toMatchObject({ cwd: '/project', toolKind: 'delete', decision: 'allow', uses: 1 });
    expect((await list({ state: 'answered' }))[0]).toMatchObject({
      answer: { optionId: 'yes', by: 'policy', policyId: policy?.id },
    });
  });

  test.each([
    ['another kind', permission({ kind: 'execute' })],
    ['another folder', { ...permission(), cwd: '/elsewhere' }],
    ['a request without that answer', { ...permission(), options: permission().options.slice(2) }],
  ])('does not answer %s', async (_, request) => {
    const { ask } = await running();
    void ask();
    const [item] = await waiting(1);
    await answer(item.id, 'yes', { remember: true });
    void ask(request);
    await waiting(1);
  });

  test('does not answer another agent, survives a start, and asks again once it is deleted', async () => {
    const { ask } = await running();
    void ask();
    const [item] = await waiting(1);
    await answer(item.id, 'no', { remember: true });
    void (await running('other')).ask();
    await waiting(1);

    const next = room.make();
    await next.sessions.start();
    const [policy] = await next.needsYou.policies();
    expect(policy).toMatchObject({ agentId: 'echo', decision: 'reject', uses: 0 });
    await next.needsYou.deletePolicy(policy?.id ?? '', context);
    await expect(next.needsYou.deletePolicy(policy?.id ?? '', context)).rejects.toMatchObject({
      code: 'needs_you.not_found',
    });
    expect(await next.needsYou.policies()).toEqual([]);
    await next.sessions.stop();
  });

  test('the newer one takes the place of the older', async () => {
    const { ask } = await running();
    void ask();
    const [first] = await waiting(1);
    await room.clock.advance(1);
    void ask();
    const [, second] = await waiting(2);
    await answer(first.id, 'yes', { remember: true });
    await answer(second?.id ?? '', 'no', { remember: true });
    expect(await room.needsYou.policies()).toMatchObject([{ decision: 'reject' }]);
    expect(await ask()).toBe('no');
  });
});

describe('a question', () => {
  const fields: QuestionRequest['fields'] = [
    { name: 'name', title: 'Name', type: 'text', required: true },
    { name: 'age', title: 'Age', type: 'integer', required: false },
    {
      name: 'size',
      title: 'Size',
      type: 'choice',
      required: false,
      choices: [{ value: 's', title: 'Small' }],
    },
  ];

  test('is answered with the values of its fields, which are not kept', async () => {
    const { question } = await running();
    const asked = question({ message: 'Who are you?', fields });
    const [item] = await waiting(1);
    await answer(item.id, 'accept', { values: { name: 'secret-name', size: 's' } });
    expect(await asked).toEqual({ action: 'accept', values: { name: 'secret-name', size: 's' } });
    expect(JSON.stringify(await room.needsYou.get(item.id))).not.toContain('secret-name');
  });

  test.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 1 }, 'name'],
    [{ name: 'a', age: 1.5 }, 'age'],
    [{ name: 'a', size: 'l' }, 'size'],
    [{ name: 'a', nothing: 1 }, 'nothing'],
  ])('%j does not fit, and it waits on', async (values, field) => {
    const { question } = await running();
    void question({ message: 'Who are you?', fields });
    const [item] = await waiting(1);
    await expect(answer(item.id, 'accept', { values })).rejects.toMatchObject({
      code: 'request.invalid',
      data: { field },
    });
    await waiting(1);
  });

  test('is declined, or cancelled with its turn', async () => {
    const { question, abort } = await running();
    const declined = question({ message: 'One?', fields });
    const [item] = await waiting(1);
    await expect(answer(item.id, 'decline', { remember: true })).rejects.toMatchObject({
      code: 'request.invalid',
    });
    await answer(item.id, 'decline');
    expect(await declined).toEqual({ action: 'decline' });
    const cancelled = question({ message: 'Two?', fields });
    await waiting(1);
    abort.abort();
    expect(await cancelled).toEqual({ action: 'cancel' });
  });
});
