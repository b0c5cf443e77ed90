/** The floor: `child_process.fork` of a script that does nothing but say something, until it is heard. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Times } from './recovery.ts';

/** Milliseconds from the fork of `count` at once to the first message of the last of them, in each round. */
export async function measureForks(folder: string, rounds: number, count: number): Promise<Times> {
  const script = join(folder, 'first-message.mjs');
  await writeFile(script, "process.send('first');\n");
  const times: Times = [];
  for (let round = 0; round <= rounds; round++) {
    const startedAt = performance.now();
    const children = Array.from({ length: count }, () => fork(script));
    const ends = children.map((child) => once(child, 'exit'));
    await Promise.all(children.map((child) => once(child, 'message')));
    times.push(performance.now() - startedAt);
    await Promise.all(ends);
  }
  return times.slice(1);
}
