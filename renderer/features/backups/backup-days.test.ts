import { expect, test } from 'vitest';
import type { Backup } from '#contract';
import { backupDays } from './backup-days.ts';

function backup(id: string, at: Date): Backup {
  return {
    id,
    fileName: `${id}.stbackup`,
    createdAt: at.getTime(),
    trigger: 'manual',
    sizeBytes: 1,
    sessions: 1,
    records: 1,
    adapter: 'sqlite',
    productVersion: '0.1.0',
    state: 'checked',
  };
}

const now = new Date(2026, 10, 21, 12, 0, 0).getTime();

test('days where the user is, the newest first, in words', () => {
  const days = backupDays(
    [
      backup('last-year', new Date(2025, 11, 31, 23, 59)),
      backup('morning', new Date(2026, 10, 21, 0, 0)),
      backup('noon', new Date(2026, 10, 21, 11, 59)),
      backup('last-night', new Date(2026, 10, 20, 23, 59, 59)),
      backup('thursday', new Date(2026, 10, 19, 8, 0)),
    ],
    now,
  );
  expect(days.map((day) => [day.label, day.items.map((item) => item.id)])).toEqual([
    ['Today', ['noon', 'morning']],
    ['Yesterday', ['last-night']],
    ['Thursday 19 November', ['thursday']],
    ['Wednesday 31 December 2025', ['last-year']],
  ]);
});

test('no archives, no days', () => {
  expect(backupDays([], now)).toEqual([]);
});
