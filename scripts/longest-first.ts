/**
 * The order in which Vitest starts the test files: those that take longest first, so that none of them is left over when
 * all others are done. Vitest remembers how long each took, but a clean clone knows of nothing but their sizes, and the
 * longest are among the smallest.
 */
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * By their paths from the root of the project, the longest first, but so that those that compute (damage, failing calls) run
 * beside those that wait (kills, servers). All of them take more than ten seconds. Every other file comes after them.
 */
export const LONGEST: readonly string[] = [
  'runtime/storage/faults/file-crash.test.ts',
  'runtime/storage/faults/sqlite-damage.test.ts',
  'runtime/storage/faults/sqlite-disk.test.ts',
  'runtime/shared-storage.test.ts',
  'runtime/storage/degraded/servers.test.ts',
  'runtime/proofs/kill-loop.test.ts',
  'runtime/storage/faults/file-damage.test.ts',
  'runtime/storage/faults/sqlite-crash.test.ts',
  'runtime/storage/redis/redis-faults.test.ts',
  'runtime/storage/faults/file-disk.test.ts',
  'runtime/storage/hybrid/hybrid-storage.test.ts',
  'runtime/storage/postgres/postgres-faults.test.ts',
  'runtime/agents/supervision/agent-drills.test.ts',
  'runtime/agents/supervision/agent-recovery.test.ts',
  'runtime/storage/postgres/postgres-storage.test.ts',
  'runtime/agents/agent-supervisor.test.ts',
  'runtime/storage/faults/redis-crash.test.ts',
  'runtime/storage/faults/postgres-crash.test.ts',
  'runtime/proofs/misbehaving-agents.test.ts',
  'runtime/storage/sqlite/sqlite-storage.test.ts',
  'runtime/agents/supervision/agent-durability.test.ts',
  'runtime/backup/crash.test.ts',
  'runtime/storage/redis/probe-redis.test.ts',
];

/** The files that are named in `longest`, in its order, and then all others, in the order that they have. */
export function longestFirst<File>(
  files: readonly File[],
  pathOf: (file: File) => string,
  longest: readonly string[] = LONGEST,
): File[] {
  const place = (file: File) => {
    const found = longest.indexOf(pathOf(file));
    return found < 0 ? longest.length : found;
  };
  return [...files].sort((a, b) => place(a) - place(b));
}

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    return longestFirst(await super.sort(files), ({ moduleId }) =>
      relative(root, moduleId).replaceAll('\\', '/'),
    );
  }
}
