import type { BackupTrigger } from '#contract';

/** Why an archive was made. */
export const TRIGGERS: Readonly<Record<BackupTrigger, string>> = {
  manual: 'By you',
  schedule: 'Scheduled',
  'before-restore': 'Safety copy',
  imported: 'Imported',
};
