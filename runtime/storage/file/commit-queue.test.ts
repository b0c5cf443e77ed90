import { expect, it } from 'vitest';
import { CommitQueue } from './commit-queue.ts';

/** A queue whose groups are durable at once, and how many commits each of them had. */
function queueWithGroups() {
  const groups: number[] = [];
  const queue: CommitQueue = new CommitQueue({
    ready: () => undefined,
    async commitGroup() {
      let size = 0;
      queue.take((commit) => {
        size += 1;
        commit.resolve([]);
        return true;
      });
      groups.push(size);
    },
  });
  const commitAtOnce = async (count: number) => {
    await Promise.all(Array.from({ length: count }, () => queue.commit([], undefined)));
    return groups.splice(0);
  };
  return { queue, commitAtOnce };
}

it('takes all that come in one tick into one group as long as it does not know the disk', async () => {
  const { commitAtOnce } = queueWithGroups();
  expect(await commitAtOnce(64)).toEqual([64]);
});

it('begins early where a sync is quicker than the preparing of the commits', async () => {
  const { queue, commitAtOnce } = queueWithGroups();
  queue.measured(0.1);
  expect(await commitAtOnce(64)).toEqual([25, 39]);
});

it('goes on to begin early when a sync stood still once, and stops when the disk has become slow', async () => {
  const { queue, commitAtOnce } = queueWithGroups();
  queue.measured(0.05);
  queue.measured(5);
  expect(await commitAtOnce(64)).toEqual([16, 48]);
  for (let i = 0; i < 10; i++) queue.measured(5);
  expect(await commitAtOnce(64)).toEqual([64]);
});
