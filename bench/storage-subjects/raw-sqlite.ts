import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { type Append, type LoadedSession, message, type Subject, sessionDocument } from './work.ts';

/**
 * The floor: better-sqlite3 in the main thread with prepared statements, WAL and synchronous=FULL, and a schema for this
 * work alone. `together` puts concurrent appends into one transaction, otherwise each has its own.
 */
export function rawSqlite(folder: string, options: { together: boolean }): Subject {
  const database = new Sqlite(join(folder, 'raw.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(`
    CREATE TABLE session (
      id TEXT PRIMARY KEY, version INTEGER, title TEXT, state TEXT, updated_at INTEGER, json TEXT
    ) WITHOUT ROWID;
    CREATE INDEX session_by_update ON session (updated_at);
    CREATE TABLE message (
      session TEXT, number INTEGER, at INTEGER, json TEXT, PRIMARY KEY (session, number)
    ) WITHOUT ROWID;
  `);
  const put = database.prepare(
    `INSERT INTO session VALUES (?, 1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
       version = version + 1, title = excluded.title, state = excluded.state,
       updated_at = excluded.updated_at, json = excluded.json`,
  );
  const insert = database.prepare('INSERT INTO message VALUES (?, ?, ?, ?)');
  const get = database.prepare('SELECT json FROM session WHERE id = ?').pluck();
  const read = database
    .prepare('SELECT number, at, json FROM message WHERE session = ? ORDER BY number')
    .raw();

  const write = (session: string, number: number) => {
    const document = sessionDocument(session, number);
    put.run(session, document.title, document.state, document.updatedAt, JSON.stringify(document));
    insert.run(session, number, Date.now(), JSON.stringify(message(session, number)));
  };
  const writeOne = database.transaction(write);
  const writeAll = database.transaction((appends: Append[]) => {
    for (const { session, number } of appends) write(session, number);
  });

  return {
    async create(session, messages) {
      writeAll(Array.from({ length: messages }, (_, i) => ({ session, number: i + 1 })));
    },
    async append(session, number) {
      writeOne(session, number);
    },
    async appendMany(appends, answered) {
      if (options.together) writeAll(appends);
      for (const { session, number } of appends) {
        if (!options.together) writeOne(session, number);
        answered();
      }
    },
    async load(session): Promise<LoadedSession> {
      const rows = read.all(session) as [number, number, string][];
      return {
        document: JSON.parse(get.get(session) as string),
        messages: rows.map((row) => ({ sequence: row[0], at: row[1], value: JSON.parse(row[2]) })),
      };
    },
    async close() {
      database.close();
    },
  };
}
