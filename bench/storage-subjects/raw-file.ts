import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  type LoadedSession,
  message,
  type NumberedMessage,
  type SessionDocument,
  type Subject,
  sessionDocument,
} from './work.ts';

/**
 * The floor: synchronous file calls. The document is written, synced, renamed and its folder synced; the message is
 * appended as a line and synced. A session is a folder, as somebody who wants to read it would lay it out.
 */
export function rawFile(folder: string): Subject {
  const sync = (path: string) => {
    const file = openSync(path, 'r');
    fsyncSync(file);
    closeSync(file);
  };
  const write = (path: string, flag: 'w' | 'a', text: string) => {
    const file = openSync(path, flag);
    writeSync(file, text);
    fsyncSync(file);
    closeSync(file);
  };
  const append = (session: string, lines: string, messages: number) => {
    const path = join(folder, session);
    if (!existsSync(path)) {
      mkdirSync(path);
      sync(folder);
    }
    write(join(path, 'messages.ndjson'), 'a', lines);
    write(join(path, 'session.json.tmp'), 'w', JSON.stringify(sessionDocument(session, messages)));
    renameSync(join(path, 'session.json.tmp'), join(path, 'session.json'));
    sync(path);
  };
  return {
    async create(session, messages) {
      append(session, Array.from({ length: messages }, (_, i) => lineOf(session, i + 1)).join(''), messages);
    },
    async append(session, number) {
      append(session, lineOf(session, number), number);
    },
    async appendMany(appends, answered) {
      for (const { session, number } of appends) {
        append(session, lineOf(session, number), number);
        answered();
      }
    },
    async load(session): Promise<LoadedSession> {
      const lines = readFileSync(join(folder, session, 'messages.ndjson'), 'utf8').split('\n');
      lines.pop();
      return {
        document: JSON.parse(readFileSync(join(folder, session, 'session.json'), 'utf8')),
        messages: lines.map((line) => JSON.parse(line)),
      };
    },
    async close() {},
  };
}

/**
 * The floor of many clients: everything that they have at hand goes into one file with one sync. Read only at the end, to see
 * that it is all there.
 */
export function rawJournal(folder: string): Subject {
  const path = join(folder, 'journal.ndjson');
  writeFileSync(path, '');
  const journal = openSync(path, 'a');
  const write = (records: string[]) => {
    writeSync(journal, records.join(''));
    fsyncSync(journal);
  };
  const recordOf = (session: string, number: number) =>
    `${JSON.stringify(sessionDocument(session, number))}\n${lineOf(session, number)}`;
  let read: Map<string, LoadedSession> | undefined;
  return {
    async create(session, messages) {
      write(Array.from({ length: messages }, (_, i) => recordOf(session, i + 1)));
    },
    async append(session, number) {
      write([recordOf(session, number)]);
    },
    async appendMany(appends, answered) {
      write(appends.map(({ session, number }) => recordOf(session, number)));
      for (const _ of appends) answered();
    },
    async load(session) {
      read ??= readJournal(path);
      const loaded = read.get(session);
      if (loaded === undefined) throw new Error(`${session} is not in the journal`);
      return loaded;
    },
    async close() {
      closeSync(journal);
    },
  };
}

function readJournal(path: string): Map<string, LoadedSession> {
  const sessions = new Map<string, LoadedSession>();
  const lines = readFileSync(path, 'utf8').split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const document = JSON.parse(lines[i] as string) as SessionDocument;
    const line = JSON.parse(lines[i + 1] as string) as NumberedMessage;
    const session = document.title.slice('Conversation of '.length);
    const messages = sessions.get(session)?.messages ?? [];
    messages.push(line);
    sessions.set(session, { document, messages });
  }
  return sessions;
}

function lineOf(session: string, number: number): string {
  const line: NumberedMessage = { sequence: number, at: Date.now(), value: message(session, number) };
  return `${JSON.stringify(line)}\n`;
}
