/** Whether something that was built is still what its sources say. */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface BuiltPart {
  /** The folder that the build writes. */
  output: string;
  /** Globs, relative to the root, of everything that goes into it. */
  sources: string[];
  /** Globs among the sources that never change the result, such as tests. */
  ignored: string[];
}

/** Lies in the output folder itself, which every build empties: a build that fails half-way leaves none. */
const STAMP = '.built-from';

/** A hash over the names and the contents of the sources: a checkout that only touches times builds nothing anew. */
export function hashSources(root: string, part: BuiltPart): string {
  const hash = createHash('sha256');
  for (const file of globSync(part.sources, { cwd: root, exclude: part.ignored }).sort()) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

export function isStale(root: string, part: BuiltPart): boolean {
  const stamp = join(root, part.output, STAMP);
  return !existsSync(stamp) || readFileSync(stamp, 'utf8') !== hashSources(root, part);
}

/** To be called with the hash from before the build: a source that changed meanwhile makes the result stale. */
export function markBuilt(root: string, part: BuiltPart, hash: string): void {
  writeFileSync(join(root, part.output, STAMP), hash);
}
