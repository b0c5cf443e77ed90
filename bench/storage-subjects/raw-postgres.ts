import { Pool } from 'pg';
import { type LoadedSession, type Message, message, type Subject, sessionDocument } from './work.ts';

/**
 * The floor: pg with a pool of 10 and prepared statements. The session and its message are one statement, one round trip
 * and one transaction; many clients: 64 of those in one statement.
 */
export async function rawPostgres(url: string): Promise<Subject> {
  const pool = new Pool({ connectionString: url, max: 10 });
  await pool.query(`
    DROP SCHEMA IF EXISTS raw CASCADE;
    CREATE SCHEMA raw;
    CREATE TABLE raw.session (
      id text PRIMARY KEY, version bigint, title text, state text, updated_at bigint, json text
    );
    CREATE INDEX session_by_update ON raw.session (updated_at);
    CREATE TABLE raw.message (session text, number bigint, at bigint, json text, PRIMARY KEY (session, number));
  `);
  const write = async (appends: { session: string; number: number }[]) => {
    const last = new Map(appends.map(({ session, number }) => [session, sessionDocument(session, number)]));
    const documents = [...last.values()];
    await pool.query({
      name: 'append',
      text: `
        WITH put AS (
          INSERT INTO raw.session
          SELECT id, 1, title, state, updated_at, json
            FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS s (id, title, state, updated_at, json)
          ON CONFLICT (id) DO UPDATE SET version = raw.session.version + 1, title = excluded.title,
            state = excluded.state, updated_at = excluded.updated_at, json = excluded.json
        )
        INSERT INTO raw.message SELECT * FROM unnest($6::text[], $7::bigint[], $8::bigint[], $9::text[])`,
      values: [
        [...last.keys()],
        documents.map(({ title }) => title),
        documents.map(({ state }) => state),
        documents.map(({ updatedAt }) => updatedAt),
        documents.map((document) => JSON.stringify(document)),
        appends.map(({ session }) => session),
        appends.map(({ number }) => number),
        appends.map(() => Date.now()),
        appends.map(({ session, number }) => JSON.stringify(message(session, number))),
      ],
    });
  };
  return {
    create: (session, messages) =>
      write(Array.from({ length: messages }, (_, i) => ({ session, number: i + 1 }))),
    append: (session, number) => write([{ session, number }]),
    async appendMany(appends, answered) {
      await write(appends);
      for (const _ of appends) answered();
    },
    async load(session): Promise<LoadedSession> {
      const [documents, messages] = await Promise.all([
        pool.query<{ json: string }>({
          name: 'get',
          text: 'SELECT json FROM raw.session WHERE id = $1',
          values: [session],
        }),
        pool.query<{ number: string; at: string; json: string }>({
          name: 'read',
          text: 'SELECT number, at, json FROM raw.message WHERE session = $1 ORDER BY number',
          values: [session],
        }),
      ]);
      const found = documents.rows[0];
      if (found === undefined) throw new Error(`${session} is not there`);
      return {
        document: JSON.parse(found.json),
        messages: messages.rows.map(({ number, at, json }) => ({
          sequence: Number(number),
          at: Number(at),
          value: JSON.parse(json) as Message,
        })),
      };
    },
    close: () => pool.end(),
  };
}
