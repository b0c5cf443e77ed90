import { Pool } from 'pg';
import { type LoadedSession, type Message, message, type Subject, sessionDocument } from './work.ts';

/**
 * The floor: pg with a pool of 10 and prepared statements. The session and its message are one statement, one round trip
 * and one transaction; many clients: 64 of those in one statement. With `recorded` it also writes what the port of ours
 * promises: an index that any field may have and that keeps any text in order, and the commit by its number, by which one
 * that is sent again is known.
 */
export async function rawPostgres(url: string, options: { recorded: boolean }): Promise<Subject> {
  const schema = options.recorded ? 'recorded' : 'raw';
  const pool = new Pool({ connectionString: url, max: 10 });
  await pool.query(`
    DROP SCHEMA IF EXISTS ${schema} CASCADE;
    CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.session (
      id text PRIMARY KEY, version bigint, title text, state text, updated_at bigint, json text
    );
    CREATE TABLE ${schema}.message (session text, number bigint, at bigint, json text, PRIMARY KEY (session, number));
    ${
      options.recorded
        ? `CREATE TABLE recorded.field (session text, field text, key text COLLATE "C", PRIMARY KEY (session, field));
           CREATE INDEX field_in_order ON recorded.field (field, key, session);
           CREATE TABLE recorded.commit (number bigint PRIMARY KEY, at bigint, numbers text);`
        : 'CREATE INDEX session_by_update ON raw.session (updated_at);'
    }
  `);
  const record = `, indexed AS (
      INSERT INTO recorded.field SELECT id, 'updatedAt', key FROM unnest($1::text[], $10::text[]) AS s (id, key)
      ON CONFLICT (session, field) DO UPDATE SET key = excluded.key
    ), remembered AS (
      INSERT INTO recorded.commit SELECT * FROM unnest($11::bigint[], $8::bigint[], $12::text[])
    )`;
  let commits = 0;
  const write = async (appends: { session: string; number: number }[]) => {
    const last = new Map(appends.map(({ session, number }) => [session, sessionDocument(session, number)]));
    const documents = [...last.values()];
    await pool.query({
      name: 'append',
      text: `
        WITH put AS (
          INSERT INTO ${schema}.session
          SELECT id, 1, title, state, updated_at, json
            FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS s (id, title, state, updated_at, json)
          ON CONFLICT (id) DO UPDATE SET version = ${schema}.session.version + 1, title = excluded.title,
            state = excluded.state, updated_at = excluded.updated_at, json = excluded.json
        )${options.recorded ? record : ''}
        INSERT INTO ${schema}.message SELECT * FROM unnest($6::text[], $7::bigint[], $8::bigint[], $9::text[])`,
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
        ...(options.recorded
          ? [
              documents.map(({ updatedAt }) => String(updatedAt)),
              appends.map(() => ++commits),
              appends.map(({ number }) => `${number},${number}`),
            ]
          : []),
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
          text: `SELECT json FROM ${schema}.session WHERE id = $1`,
          values: [session],
        }),
        pool.query<{ number: string; at: string; json: string }>({
          name: 'read',
          text: `SELECT number, at, json FROM ${schema}.message WHERE session = $1 ORDER BY number`,
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
