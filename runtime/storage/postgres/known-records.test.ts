import { expect, it } from 'vitest';
import { KnownRecords } from './known-records.ts';

it('keeps no document with index fields of any length, nor what was known of it before', () => {
  const known = new KnownRecords();
  const document = (title: string) => ({
    version: 1,
    fields: JSON.stringify({ title }),
    index: { title },
  });
  known.setDocument('sessions', 'a', document('short'));
  expect(known.document('sessions', 'a')?.version).toBe(1);
  known.setDocument('sessions', 'a', document('x'.repeat(4_096)));
  expect(known.document('sessions', 'a')).toBeUndefined();
});

it('forgets the record that was set longest ago', () => {
  const known = new KnownRecords();
  for (let i = 0; i <= 20_000; i++) known.setLog(`messages/${i}`, { last: i, row: undefined });
  expect(known.log('messages/0')).toBeUndefined();
  expect(known.log('messages/1')).toEqual({ last: 1, row: undefined });
});
