import type { RestorePreview } from '#contract';
import { formatCount } from '../../lib/format.ts';

export interface ComparisonRow {
  name: 'Come back' | 'Go back to how they were' | 'Go away';
  sign: '+' | '~' | '−';
  count: number;
  meaning: string;
}

/** What happens to the sessions, one row a kind. */
export function comparison(preview: RestorePreview): ComparisonRow[] {
  const { added, changed, removed } = preview.sessions;
  return [
    {
      name: 'Come back',
      sign: '+',
      count: added,
      meaning: 'in the archive, not in the data of today',
    },
    {
      name: 'Go back to how they were',
      sign: '~',
      count: changed,
      meaning: 'in both, changed since the backup',
    },
    {
      name: 'Go away',
      sign: '−',
      count: removed,
      meaning: 'made after the backup; they come back if you undo',
    },
  ];
}

/** True when the archive holds the same sessions and agents as there are now. */
export function changesNothing(preview: RestorePreview): boolean {
  const { added, changed, removed } = preview.sessions;
  return added + changed + removed === 0 && preview.agents.archived === preview.agents.current;
}

/** What the restore means for what is going on, in the order in which it matters. */
export function impacts(preview: RestorePreview): string[] {
  const { sessions, agents, runningTurns } = preview;
  return [
    ...(runningTurns > 0
      ? [
          `${formatCount(runningTurns, 'running turn')} will be interrupted. ${
            runningTurns === 1 ? 'It is' : 'They are'
          } marked, and never sent again by itself.`,
        ]
      : ['No turn is running: nothing is interrupted.']),
    ...(sessions.removed > 0
      ? [`${formatCount(sessions.removed, 'session')} made since the backup will be gone until you undo.`]
      : []),
    ...(agents.archived === agents.current
      ? []
      : [
          `The agents become those of the archive: ${formatCount(agents.archived, 'agent')} instead of ${agents.current}.`,
        ]),
    'A safety copy of the data of today is written to the backup folder first.',
    'The archive is checked record by record before anything is switched; if it fails, nothing changes.',
    'You can undo: the data of today is kept beside the restored one.',
    'Settings and secrets are not part of a backup and stay as they are.',
  ];
}
