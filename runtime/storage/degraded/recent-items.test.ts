import { describe, expect, it } from 'vitest';
import { RecentItems } from './recent-items.ts';

const entry = (sequence: number) => ({ sequence, at: 0, json: 'x'.repeat(1_000), covers: sequence - 1 });

describe('what is remembered', () => {
  it('stays within its bytes when an entry is taken back of which everything was forgotten meanwhile', () => {
    const items = new RecentItems(20_000, () => undefined);
    const former = items.makeLog('messages/a', 0);
    for (let sequence = 1; sequence <= 10; sequence++) items.setEntry(former, entry(sequence));
    items.clear();
    const log = items.makeLog('messages/b', 0);
    items.setEntry(log, entry(1));
    for (let sequence = 1; sequence <= 10; sequence++) items.removeEntry(former, sequence);
    for (let sequence = 2; sequence <= 100; sequence++) {
      items.log('messages/b');
      items.setEntry(log, entry(sequence));
    }
    expect(log.entries.has(100)).toBe(true);
    expect(log.entries.size).toBeLessThanOrEqual(20);
  });
});
