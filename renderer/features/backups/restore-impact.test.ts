import { expect, test } from 'vitest';
import type { RestorePreview } from '#contract';
import { changesNothing, comparison, impacts } from './restore-impact.ts';

function preview(overrides: Partial<RestorePreview> = {}): RestorePreview {
  return {
    backup: {
      id: 'b1',
      fileName: 'b1.stbackup',
      createdAt: 1,
      trigger: 'manual',
      sizeBytes: 1,
      sessions: 3,
      records: 9,
      adapter: 'sqlite',
      productVersion: '0.1.0',
      state: 'checked',
    },
    sessions: { archived: 3, current: 4, added: 1, changed: 2, removed: 2 },
    agents: { archived: 1, current: 4 },
    runningTurns: 0,
    ...overrides,
  };
}

test('each kind of change has its count', () => {
  expect(comparison(preview()).map((row) => [row.sign, row.count])).toEqual([
    ['+', 1],
    ['~', 2],
    ['−', 2],
  ]);
});

test('what is lost or interrupted comes before the reassurance', () => {
  const lines = impacts(preview({ runningTurns: 1 }));
  expect(lines[0]).toContain('1 running turn will be interrupted. It is marked');
  expect(lines[1]).toContain('2 sessions made since the backup will be gone');
  expect(lines[2]).toContain('1 agent instead of 4');
  expect(impacts(preview())[0]).toContain('nothing is interrupted');
});

test('an archive of the data as it is changes nothing', () => {
  const same = preview({
    sessions: { archived: 4, current: 4, added: 0, changed: 0, removed: 0 },
    agents: { archived: 4, current: 4 },
  });
  expect(changesNothing(same)).toBe(true);
  expect(changesNothing(preview())).toBe(false);
  expect(impacts(same).some((line) => line.includes('will be gone'))).toBe(false);
});
