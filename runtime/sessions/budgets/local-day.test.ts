import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** In a process of its own, because the time zone of a process is that of its start. */
function inZone(zone: string, time: string): { day: string; hours: number } {
  const file = join(import.meta.dirname, 'local-day.ts');
  const script = `
    import { endOfLocalDay, localDay } from ${JSON.stringify(file)};
    const time = Date.parse(${JSON.stringify(time)});
    const end = endOfLocalDay(time);
    const day = localDay(time);
    if (localDay(end - 1) !== day || localDay(end) === day) throw new Error('not the end of the day');
    let start = time;
    while (localDay(start - 60_000) === day) start -= 60_000;
    console.log(JSON.stringify({ day, hours: Math.round((end - start) / 360_000) / 10 }));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, TZ: zone, NODE_OPTIONS: '' },
    encoding: 'utf8',
  });
  return JSON.parse(output);
}

test.each([
  ['UTC', '2026-06-30T23:59:00Z', '2026-06-30', 24],
  ['America/Los_Angeles', '2026-07-01T06:59:00Z', '2026-06-30', 24],
  ['Pacific/Auckland', '2026-06-30T12:01:00Z', '2026-07-01', 24],
  ['Europe/Berlin', '2026-03-29T10:00:00Z', '2026-03-29', 23],
  ['Europe/Berlin', '2026-10-25T10:00:00Z', '2026-10-25', 25],
])('in %s the day of %s is %s and has %i hours', (zone, time, day, hours) => {
  expect(inZone(zone, time)).toEqual({ day, hours });
});
