import { describe, expect, it } from 'vitest';
import { SessionTelling } from './session-telling.ts';

const MODES = {
  currentModeId: 'ask',
  availableModes: [{ id: 'ask', name: 'Ask', description: null }, { id: 'code', name: 'Code' }, 'nonsense'],
};

describe('what is told of a session', () => {
  it('are its modes and options when it is opened', () => {
    expect(
      new SessionTelling().opened({
        modes: MODES,
        configOptions: [
          {
            id: 'model',
            name: 'Model',
            category: 'model',
            type: 'select',
            currentValue: 'big',
            options: [
              { value: 'big', name: 'Big', description: 'slow' },
              { group: 'small', name: 'Small ones', options: [{ value: 's1', name: 'One' }] },
            ],
          },
          { id: 'fast', name: 'Fast', type: 'boolean', currentValue: true, description: 'faster' },
          { id: 'odd', name: 'Odd', type: 'hologram', currentValue: 3 },
        ],
      }),
    ).toEqual({
      modes: {
        currentModeId: 'ask',
        availableModes: [
          { id: 'ask', name: 'Ask' },
          { id: 'code', name: 'Code' },
        ],
      },
      options: [
        {
          id: 'model',
          name: 'Model',
          category: 'model',
          value: 'big',
          choices: [
            { value: 'big', name: 'Big', description: 'slow' },
            { value: 's1', name: 'Small ones: One' },
          ],
        },
        { id: 'fast', name: 'Fast', description: 'faster', value: true },
      ],
    });
  });

  it('is nothing when nothing is offered, or nonsense', () => {
    expect(new SessionTelling().opened({})).toEqual({});
    expect(new SessionTelling().opened({ modes: null, configOptions: 'all' })).toEqual({});
    expect(new SessionTelling().opened({ modes: { availableModes: [] } })).toEqual({});
  });

  it('are the modes whole when the mode is switched, and nothing of a mode that was never offered', () => {
    const telling = new SessionTelling();
    const update = { sessionUpdate: 'current_mode_update', currentModeId: 'code' };
    expect(telling.update(update)).toBeUndefined();
    telling.opened({ modes: MODES });
    expect(telling.update(update)).toMatchObject({
      modes: { currentModeId: 'code', availableModes: [{ id: 'ask' }, { id: 'code' }] },
    });
  });

  it.each([
    [
      {
        sessionUpdate: 'available_commands_update',
        availableCommands: [
          { name: 'plan', description: 'Make a plan', input: { hint: 'what' } },
          { name: 'go', description: 'Go', input: null },
          { description: 'without a name' },
        ],
      },
      {
        commands: [
          { name: 'plan', description: 'Make a plan', hint: 'what' },
          { name: 'go', description: 'Go' },
        ],
      },
    ],
    [
      { sessionUpdate: 'usage_update', used: 10.4, size: 200, cost: { amount: 0.25, currency: 'USD' } },
      { contextWindow: { used: 10, size: 200 }, cost: { amount: 0.25, currency: 'USD' } },
    ],
    [
      { sessionUpdate: 'usage_update', used: 10, size: 200, cost: { amount: -1, currency: 'USD' } },
      { contextWindow: { used: 10, size: 200 } },
    ],
    [{ sessionUpdate: 'usage_update', used: -1, size: 200 }, undefined],
    [{ sessionUpdate: 'session_info_update', title: ' Fix it ' }, { title: 'Fix it' }],
    [{ sessionUpdate: 'session_info_update', title: null }, undefined],
    [{ sessionUpdate: 'config_option_update', configOptions: [] }, { options: [] }],
    [{ sessionUpdate: 'config_option_update' }, undefined],
    [{ sessionUpdate: 'hologram' }, undefined],
    [null, undefined],
  ])('%j', (update, told) => {
    expect(new SessionTelling().update(update)).toEqual(told);
  });

  it('is bounded', () => {
    const told = new SessionTelling().update({
      sessionUpdate: 'available_commands_update',
      availableCommands: Array.from({ length: 10_000 }, (_, i) => ({
        name: `c${i}`,
        description: 'x'.repeat(10_000),
      })),
    });
    expect(told?.commands).toHaveLength(500);
    expect(told?.commands?.[0]?.description.length).toBeLessThan(2100);
  });
});
