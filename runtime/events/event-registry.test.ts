import { describe, expect, test } from 'vitest';
import type { RuntimeEvent } from '../contract/index.ts';
import { EventRegistry } from './event-registry.ts';

const event = (sequence: number, text = ''): RuntimeEvent => ({
  specversion: '1.0',
  id: `e${sequence}`,
  source: 'smalltalk',
  type: 'session.created',
  time: '2026-01-01T00:00:00.000Z',
  datacontenttype: 'application/json',
  data: { nested: [{ text }] },
  sequence,
  priority: 'normal',
  correlationid: 'c',
});
const sequences = (events: RuntimeEvent[] | undefined) => events?.map(({ sequence }) => sequence);

describe('EventRegistry', () => {
  test('keeps the newest, and knows when it cannot answer', () => {
    const registry = new EventRegistry(3);
    expect(registry.after(0, 10)).toBeUndefined();
    for (let sequence = 1; sequence <= 1000; sequence++) {
      registry.push(event(sequence));
      expect(registry.size).toBe(Math.min(sequence, 3));
    }
    expect(sequences(registry.after(997, 10))).toEqual([998, 999, 1000]);
    expect(sequences(registry.after(998, 1))).toEqual([999]);
    expect(sequences(registry.after(1000, 10))).toEqual([]);
    expect(registry.after(996, 10)).toBeUndefined();
  });

  test('holds no more text than it may, but always the newest', () => {
    const registry = new EventRegistry(100, 10);
    for (const [index, text] of ['aaaa', 'bbbb', 'cccc', 'd'].entries())
      registry.push(event(index + 1, text));
    expect(sequences(registry.after(1, 10))).toEqual([2, 3, 4]);
    registry.push(event(5, 'x'.repeat(1000)));
    expect(sequences(registry.after(4, 10))).toEqual([5]);
    expect(registry.size).toBe(1);
    registry.push(event(6, 'y'));
    expect(sequences(registry.after(5, 10))).toEqual([6]);
  });

  test('a gap starts it anew', () => {
    const registry = new EventRegistry(10);
    registry.push(event(1));
    registry.push(event(5));
    expect(registry.after(0, 10)).toBeUndefined();
    expect(sequences(registry.after(4, 10))).toEqual([5]);
  });
});
