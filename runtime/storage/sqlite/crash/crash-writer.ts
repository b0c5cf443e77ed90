/**
 * The program that the crash test kills: it writes through the adapter from many clients at once, and says on its standard
 * output what was acknowledged to it, one JSON array a line. Arguments: the data folder, and the number of the run.
 *
 * Each client does what a session does: one commit puts its document, which counts its messages, and appends the message.
 * So the document's count and the length of the log must be equal in whatever survives.
 */
import { writeSync } from 'node:fs';
import { openStorage } from '../../open-storage.ts';

const [dataDir, run] = process.argv.slice(2) as [string, string];
const CLIENTS = 16;

const storage = await openStorage({ type: 'sqlite', dataDir });
// Synchronously, so that what was said is in the pipe before anything else can happen.
const say = (line: unknown[]) => writeSync(1, `${JSON.stringify(line)}\n`);
say(['open']);

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
    say(['acknowledged', name, number]);
  }
}

await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(`session-${i}`)));
