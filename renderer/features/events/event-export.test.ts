import { expect, test } from 'vitest';
import type { RuntimeEvent } from '#contract';
import { event } from './event.fixture.ts';
import { exportEvents, readAllEvents } from './event-export.ts';

test('JSON and NDJSON hold the events to the letter', () => {
  const events = [event(2), event(1)];
  expect(JSON.parse(exportEvents(events, 'json'))).toEqual(events);
  const lines = exportEvents(events, 'ndjson').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(events);
});

test('CSV quotes what needs it', () => {
  const data = { text: 'a "quoted", value\nand a line' };
  const text = exportEvents([event(1, { subject: 'a,b', data })], 'csv');
  const [header, ...rest] = text.split('\r\n');
  expect(header).toBe('sequence,time,type,subject,priority,correlationid,causationid,id,source,data');
  expect(rest[0]).toBe(
    '1,2026-01-01T00:00:00Z,agent.state.changed,"a,b",normal,c,,e1,test,' +
      '"{""text"":""a \\""quoted\\"", value\\nand a line""}"',
  );
  expect(rest).toHaveLength(2);
});

test('CSV never hands a formula to a spreadsheet', () => {
  const [, line] = exportEvents([event(1, { subject: '=1+1', data: undefined })], 'csv').split('\r\n');
  expect(line).toContain(",'=1+1,");
});

test('an export follows the cursor to the end', async () => {
  const pages: Record<string, { items: RuntimeEvent[]; nextCursor?: string }> = {
    start: { items: [event(3)], nextCursor: 'a' },
    a: { items: [event(2)], nextCursor: 'b' },
    b: { items: [event(1)] },
  };
  const read = async (cursor: string | undefined) => pages[cursor ?? 'start'] ?? { items: [] };
  const all = await readAllEvents(read);
  expect(all.events.map((item) => item.sequence)).toEqual([3, 2, 1]);
  expect(all.more).toBe(false);
  const some = await readAllEvents(read, 2);
  expect(some.events.map((item) => item.sequence)).toEqual([3, 2]);
  expect(some.more).toBe(true);
});
