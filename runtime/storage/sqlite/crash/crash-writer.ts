/**
 * The program that the crash test kills: it writes through the adapter from many clients at once, and notes in a file what
 * was acknowledged to it, one JSON array a line. Arguments: the data folder, the file, and the number of the run. Prints
 * `open` when it begins.
 *
 * Each client does what a session does: one commit puts its document, which counts its messages, and appends the message.
 * So the document's count and the length of the log must be equal in whatever survives.
 */
import { openSync, writeSync } from 'node:fs';
import { openStorage } from '../../open-storage.ts';

const [dataDir, noteFile, run] = process.argv.slice(2) as [string, string, string];
const CLIENTS = 16;

const storage = await openStorage({ type: 'sqlite', dataDir });
// A file, and synchronously: what is written is the kernel's when the call returns, and outlives the kill. (A pipe would
// not do: it is full when the reader is slow, and what waits in this process dies with it.)
const notes = openSync(noteFile, 'a');
writeSync(1, 'open\n');

async function client(name: string): Promise<void> {
  const messages = `messages/${name}`;
  for (;;) {
    const document = await storage.get<{ messages: number }>('sessions', name);
    const number = (document?.value.messages ?? 0) + 1;
    await storage.commit([
      {
        kind: 'put',
        collection: 'sessions',
        id: name,
        value: { messages: number, run },
        index: { messages: number },
        expectVersion: document?.version ?? 0,
      },
      { kind: 'append', log: messages, value: { number, run, text: 'x'.repeat((number * 97) % 4_000) } },
      { kind: 'append', log: 'events', value: { session: name, number } },
      // Trimming runs along, as retention does.
      ...(number % 50 === 0 ? [{ kind: 'trim' as const, log: messages, through: number - 25 }] : []),
    ]);
    writeSync(notes, `${JSON.stringify([name, number])}\n`);
  }
}

await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(`session-${i}`)));
