import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { QuestionRequest } from '../../agents/agents.ts';
import { type AskingRoom, openAskingRoom } from './asking-room.fixture.ts';

let room: AskingRoom;

beforeEach(async () => {
  room = await openAskingRoom();
});

afterEach(() => room.close());

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
    const { question } = await room.running();
    const asked = question({ message: 'Who are you?', fields });
    const [item] = await room.waiting(1);
    await room.answer(item.id, 'accept', { values: { name: 'secret-name', size: 's' } });
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
    const { question } = await room.running();
    void question({ message: 'Who are you?', fields });
    const [item] = await room.waiting(1);
    await expect(room.answer(item.id, 'accept', { values })).rejects.toMatchObject({
      code: 'request.invalid',
      data: { field },
    });
    await room.waiting(1);
  });

  test('is declined, or cancelled with its turn', async () => {
    const { question, abort } = await room.running();
    const declined = question({ message: 'One?', fields });
    const [item] = await room.waiting(1);
    await expect(room.answer(item.id, 'decline', { remember: true })).rejects.toMatchObject({
      code: 'request.invalid',
    });
    await room.answer(item.id, 'decline');
    expect(await declined).toEqual({ action: 'decline' });
    const cancelled = question({ message: 'Two?', fields });
    await room.waiting(1);
    abort.abort();
    expect(await cancelled).toEqual({ action: 'cancel' });
  });
});
