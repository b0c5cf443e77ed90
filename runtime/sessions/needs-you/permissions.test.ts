import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { context, eventually } from '../sessions.fixture.ts';
import { type AskingRoom, openAskingRoom, permission } from './asking-room.fixture.ts';

let room: AskingRoom;

beforeEach(async () => {
  room = await openAskingRoom();
});

afterEach(() => room.close());

describe('a permission', () => {
  test('waits durably, shows in its session and its agent, and is answered once', async () => {
    const { id, ask, prompt } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
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

    expect(await room.answer(item.id, 'yes')).toMatchObject({
      state: 'answered',
      answer: { optionId: 'yes', by: 'user' },
    });
    expect(await asked).toBe('yes');
    expect(await room.sessions.get(id)).toMatchObject({ status: 'busy', waitingForYou: 0 });
    expect(room.agents.waiting.get('echo')).toBe(0);
    await expect(room.answer(item.id, 'no')).rejects.toMatchObject({
      code: 'needs_you.already_answered',
      data: { answer: { optionId: 'yes' } },
    });
    prompt.answer({ stopReason: 'end_turn' });
    expect(await room.settled(id)).toMatchObject({ status: 'idle' });
    expect(await room.list({ state: 'answered' })).toMatchObject([{ id: item.id }]);
  });

  test('is stored in one commit with the status of its session and the event', async () => {
    const { id, ask } = await room.running();
    const commit = vi.spyOn(room.storage, 'commit');
    void ask();
    await room.waiting(1);
    const [operations] = commit.mock.calls.find(([all]) =>
      all.some((operation) => operation.kind === 'put' && operation.collection === 'needs_you'),
    ) ?? [[]];
    expect(
      operations.map((operation) => (operation.kind === 'append' ? operation.log : operation.kind)),
    ).toEqual(['put', 'put', 'events', 'events']);
    expect(room.told.filter(({ type }) => type === 'needs_you.asked')).toMatchObject([{ subject: id }]);
  });

  test('answered by two at once is answered by one', async () => {
    const { ask } = await room.running();
    const asked = ask();
    const [item] = await room.waiting(1);
    const results = await Promise.allSettled(
      ['yes', 'no', 'ever'].map((option) => room.answer(item.id, option)),
    );
    const won = results.flatMap((result) =>
      result.status === 'fulfilled' ? result.value.answer?.optionId : [],
    );
    expect(won).toHaveLength(1);
    expect(await asked).toBe(won[0]);
    const lost = results.flatMap((result) => (result.status === 'rejected' ? result.reason.code : []));
    expect(lost).toEqual(Array(2).fill('needs_you.already_answered'));
  });

  test('that another process has answered in between is answered already', async () => {
    const { ask } = await room.running();
    void ask();
    const [item] = await room.waiting(1);
    const commit = room.storage.commit.bind(room.storage);
    vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
      const value = { ...item, state: 'answered', answer: { optionId: 'no', at: 1, by: 'user' } };
      await commit([{ kind: 'put', collection: 'needs_you', id: item.id, value }]);
      return commit(operations);
    });
    await expect(room.answer(item.id, 'yes')).rejects.toMatchObject({
      code: 'needs_you.already_answered',
      data: { answer: { optionId: 'no' } },
    });
    expect((await room.needsYou.get(item.id)).answer?.optionId).toBe('no');
  });

  test('what is none of its options is refused, and it waits on', async () => {
    const { ask } = await room.running();
    void ask();
    const [item] = await room.waiting(1);
    await expect(room.answer(item.id, 'perhaps')).rejects.toMatchObject({
      code: 'needs_you.unknown_option',
      data: { options: ['yes', 'ever', 'no'] },
    });
    await room.waiting(1);
    await expect(room.answer('nothing', 'yes')).rejects.toMatchObject({ code: 'needs_you.not_found' });
  });

  test('several wait beside one another, the oldest first, and the session until the last is answered', async () => {
    const { id, ask } = await room.running();
    const first = ask(permission({ title: 'One' }));
    await room.waiting(1);
    await room.clock.advance(10);
    const second = ask(permission({ title: 'Two' }));
    const items = await room.waiting(2);
    expect(items.map(({ title }) => title)).toEqual(['One', 'Two']);
    await room.answer(items[1]?.id ?? '', 'no');
    expect(await second).toBe('no');
    expect((await room.sessions.get(id)).status).toBe('needs-you');
    await room.answer(items[0].id, 'yes');
    expect(await first).toBe('yes');
    expect((await room.sessions.get(id)).status).toBe('busy');
  });

  test('is not asked a hundred times at once', async () => {
    const { id, ask, prompt } = await room.running();
    const asked = Array.from({ length: 105 }, () => ask());
    await eventually(async () => expect((await room.sessions.get(id)).waitingForYou).toBe(100));
    expect(await Promise.all(asked.slice(100))).toEqual(Array(5).fill(undefined));
    prompt.answer({ stopReason: 'end_turn' });
    expect(await Promise.all(asked)).toEqual(Array(105).fill(undefined));
    expect(await room.settled(id)).toMatchObject({ status: 'idle', waitingForYou: 0 });
  });

  test('without any option is not asked at all', async () => {
    const { ask } = await room.running();
    expect(await ask({ ...permission(), options: [] })).toBeUndefined();
    expect(await room.list()).toEqual([]);
  });

  test('minutes in which the turn waits are not counted', async () => {
    const { id, ask, prompt } = await room.running();
    await room.clock.advance(60_000);
    const asked = ask();
    const [item] = await room.waiting(1);
    await room.clock.advance(3_600_000);
    await room.answer(item.id, 'yes');
    await asked;
    await room.clock.advance(60_000);
    prompt.answer({ stopReason: 'end_turn' });
    await room.settled(id);
    expect((await room.budgets.state()).today.minutes).toBeCloseTo(2, 5);
  });
});

describe('a policy', () => {
  test('"always here" answers the next of its kind without asking, and says so in the history', async () => {
    const { id, ask } = await room.running();
    const first = ask();
    const [item] = await room.waiting(1);
    await room.answer(item.id, 'yes', { remember: true });
    expect(await first).toBe('yes');
    await room.clock.advance(1);
    expect(await ask()).toBe('yes');
    expect((await room.sessions.get(id)).status).toBe('busy');
    const [policy] = await room.needsYou.policies('echo');
    expect(policy).toMatchObject({ cwd: '/project', toolKind: 'delete', decision: 'allow', uses: 1 });
    expect((await room.list({ state: 'answered' }))[0]).toMatchObject({
      answer: { optionId: 'yes', by: 'policy', policyId: policy?.id },
    });
  });

  test.each([
    ['another kind', permission({ kind: 'execute' })],
    ['another folder', { ...permission(), cwd: '/elsewhere' }],
    ['a request without that answer', { ...permission(), options: permission().options.slice(2) }],
  ])('does not answer %s', async (_, request) => {
    const { ask } = await room.running();
    void ask();
    const [item] = await room.waiting(1);
    await room.answer(item.id, 'yes', { remember: true });
    void ask(request);
    await room.waiting(1);
  });

  test('does not answer another agent, survives a start, and asks again once it is deleted', async () => {
    const { ask } = await room.running();
    void ask();
    const [item] = await room.waiting(1);
    await room.answer(item.id, 'no', { remember: true });
    void (await room.running('other')).ask();
    await room.waiting(1);

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
    const { ask } = await room.running();
    void ask();
    const [first] = await room.waiting(1);
    await room.clock.advance(1);
    void ask();
    const [, second] = await room.waiting(2);
    await room.answer(first.id, 'yes', { remember: true });
    await room.answer(second?.id ?? '', 'no', { remember: true });
    expect(await room.needsYou.policies()).toMatchObject([{ decision: 'reject' }]);
    expect(await ask()).toBe('no');
  });
});
