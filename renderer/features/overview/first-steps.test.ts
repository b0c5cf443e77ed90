import { describe, expect, it } from 'vitest';
import type { Agent, Backup, Job, RuntimeEvent, Session } from '#contract';
import { firstStepsOf } from './first-steps.ts';

const nothing = { sessions: [], agents: [], recoveries: [], backups: [], jobs: [], undo: false };
const done = (facts: Partial<Parameters<typeof firstStepsOf>[0]>) =>
  firstStepsOf({ ...nothing, ...facts })
    .filter((step) => step.done)
    .map((step) => step.key);

describe('the first steps', () => {
  it('are all open for a fresh store', () => expect(done({})).toEqual([]));

  it('are done by what really happened', () => {
    expect(done({ sessions: [{ messageCount: 0 }] as Session[] })).toEqual([]);
    expect(done({ sessions: [{ messageCount: 2 }] as Session[] })).toEqual(['talk']);
    expect(done({ agents: [{ restarts: 1 }] as Agent[] })).toEqual(['crash']);
    expect(done({ recoveries: [{}] as RuntimeEvent[] })).toEqual(['crash']);
    expect(done({ backups: [{ trigger: 'before-restore' }] as Backup[] })).toEqual([]);
    expect(done({ backups: [{ trigger: 'manual' }] as Backup[] })).toEqual(['backup']);
    expect(done({ undo: true })).toEqual(['restore']);
    expect(done({ jobs: [{ kind: 'restore', state: 'failed' }] as Job[] })).toEqual([]);
    expect(done({ jobs: [{ kind: 'restore', state: 'succeeded' }] as Job[] })).toEqual(['restore']);
  });
});
