import type { RuntimeEvent } from '#contract';

/** An event of the log with this sequence; its id is `e<sequence>`. */
export function event(sequence: number, overrides: Partial<RuntimeEvent> = {}): RuntimeEvent {
  return {
    specversion: '1.0',
    id: `e${sequence}`,
    source: 'test',
    type: 'agent.state.changed',
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    data: {},
    sequence,
    priority: 'normal',
    correlationid: 'c',
    ...overrides,
  };
}
