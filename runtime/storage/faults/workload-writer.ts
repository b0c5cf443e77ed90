/**
 * The program that the crash suites kill: it writes through an adapter from many clients at once, and notes in a file what
 * it sent and what was acknowledged to it, one JSON array a line. Arguments: the rig as JSON, the data folder, the file of
 * the notes, and the number of the run. Prints `open` when it begins; ends after a SIGTERM when all that was sent has been
 * answered.
 */
import { openSync, writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { isCoded } from '../../base/errors.ts';
import { openRig } from './rig-storage.ts';
import { type Note, type NotedCommit, operationsOf } from './workload.ts';

const [rig, dataDir, noteFile, run] = process.argv.slice(2) as [string, string, string, string];
const CLIENTS = 16;
const ASK_AGAIN_MS = 10;

const storage = await openRig(JSON.parse(rig), dataDir);
// A file, and synchronously: what is written is the kernel's when the call returns, and outlives the kill. (A pipe would
// not do: it is full when the reader is slow, and what waits in this process dies with it.)
const notes = openSync(noteFile, 'a');
const note = (...line: Note) => writeSync(notes, `${JSON.stringify(line)}\n`);
let ending = false;
process.on('SIGTERM', () => {
  ending = true;
});
writeSync(1, 'open\n');

async function client(session: string): Promise<void> {
  const found = await untilKnown(() => storage.get<{ messages: number }>('sessions', session));
  const writer = `run-${run}-${session}`;
  let number = found?.value.messages ?? 0;
  for (let sent = 1; !ending; sent++) {
    number += 1;
    const commit: NotedCommit = { session, number, id: { writer, number: sent } };
    note('sent', commit);
    await untilKnown(() => storage.commit(operationsOf(commit), commit.id));
    note('acknowledged', commit);
  }
}

/** While the server is away it is asked again: a commit whose fate is not known, by the id that it had. */
async function untilKnown<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isCoded(error, 'storage.unreachable') && !isCoded(error, 'storage.not_known_now')) throw error;
      await wait(ASK_AGAIN_MS);
    }
  }
}

await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(`session-${i}`)));
await storage.close();
