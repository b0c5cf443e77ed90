import type { Agent, Backup, Job, RuntimeEvent, Session } from '#contract';

export type FirstStepKey = 'talk' | 'crash' | 'backup' | 'restore';

export interface FirstStep {
  readonly key: FirstStepKey;
  readonly title: string;
  readonly what: string;
  readonly done: boolean;
}

/** The checklist of the first minute; what is done is read from the data, nothing is ticked by hand. */
export function firstStepsOf(facts: {
  readonly sessions: readonly Session[];
  readonly agents: readonly Agent[];
  readonly recoveries: readonly RuntimeEvent[];
  readonly backups: readonly Backup[];
  readonly jobs: readonly Job[];
  readonly undo: boolean;
}): FirstStep[] {
  return [
    {
      key: 'talk',
      title: 'Talk to an agent',
      what: 'Open a session and send a prompt.',
      done: facts.sessions.some((session) => session.messageCount > 0),
    },
    {
      key: 'crash',
      title: 'See a crash recover',
      what: 'Run the crash drill and watch the process come back.',
      done: facts.recoveries.length > 0 || facts.agents.some((agent) => agent.restarts > 0),
    },
    {
      key: 'backup',
      title: 'Make a backup',
      what: 'One click, one file with everything.',
      done: facts.backups.some((backup) => backup.trigger === 'manual'),
    },
    {
      key: 'restore',
      title: 'Restore it',
      what: 'Choose the archive; it can be undone.',
      done: facts.undo || facts.jobs.some((job) => job.kind === 'restore' && job.state === 'succeeded'),
    },
  ];
}
