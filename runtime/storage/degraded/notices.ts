import { type CodedError, messageOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import type { StorageNotice } from '../storage.ts';
import type { Journal } from './journal.ts';
import type { StorageMode } from './mode.ts';

/** That a storage could not be opened, and how many commits wait for it: nobody must delete them. */
export function unreachableWithJournal(error: Error, commits: number, folder: string): CodedError {
  const [was, wait] =
    commits === 1 ? ['1 commit that was', 'waits'] : [`${commits} commits that were`, 'wait'];
  return fault(
    'storage.unreachable',
    `${messageOf(error)} ${was} acknowledged while it was away ${wait} in the journal ${folder} and will be taken over as soon as it can be reached: do not delete it.`,
    { journalCommits: commits, folder },
    { cause: error },
  );
}

/** What there is to say of a journal in `folder`. */
export function journalNotices(
  { state, journalCommits, problem }: StorageMode,
  elsewhere: Journal['elsewhere'],
  folder: string,
): StorageNotice[] {
  const notices = elsewhere.map(({ type, location }) => ({
    code: 'storage.journal_elsewhere',
    message: `Commits for another storage (${type}, ${location}) wait in ${folder}. They are taken over when that storage is used again.`,
  }));
  if (state === 'normal') return notices;
  const message = `The storage cannot be reached: ${journalCommits} commits are kept in ${folder}. ${problem ?? ''}`;
  return [{ code: 'storage.degraded', message: message.trim() }, ...notices];
}
