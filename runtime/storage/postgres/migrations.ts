import type { ClientBase } from 'pg';
import { fault } from '../../contract/error-codes.ts';
import { COMMIT_FUNCTIONS } from './commit-function.ts';
import { WRITE_FUNCTIONS } from './write-function.ts';

/**
 * The tables. A row is a record; `generation` comes first in every key. Text is compared by its bytes, as the port demands,
 * and values are kept as the exact text that they were, uncompressed: compressing takes longer than writing them.
 */
const TABLES = `
CREATE TABLE smalltalk_generations (
  key integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  id text COLLATE "C" NOT NULL UNIQUE,
  created_at bigint NOT NULL,
  reason text NOT NULL,
  sealed boolean NOT NULL DEFAULT false,
  dropped boolean NOT NULL DEFAULT false,
  previous integer,
  activated_at bigint,
  bytes bigint NOT NULL DEFAULT 0,
  leased_until timestamptz
);
COMMENT ON COLUMN smalltalk_generations.leased_until IS 'until when its builder may leave it unsealed without a word';

CREATE TABLE smalltalk_state (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  active integer NOT NULL REFERENCES smalltalk_generations (key),
  active_id text COLLATE "C" NOT NULL
);

CREATE TABLE smalltalk_holder (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  holder text COLLATE "C" NOT NULL
);
COMMENT ON TABLE smalltalk_holder IS 'the last call that wrote records: whoever made it knows what it left';
INSERT INTO smalltalk_holder (holder) VALUES ('');

CREATE TABLE smalltalk_documents (
  generation integer NOT NULL,
  collection text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  expires_at bigint,
  head_crc bigint NOT NULL,
  crc bigint NOT NULL,
  fields text COLLATE "C" NOT NULL,
  shape text COLLATE "C" NOT NULL,
  json text COLLATE "C" NOT NULL,
  PRIMARY KEY (generation, collection, id)
);
COMMENT ON COLUMN smalltalk_documents.shape IS 'the names of the fields';
ALTER TABLE smalltalk_documents ALTER COLUMN json SET STORAGE EXTERNAL;
CREATE INDEX smalltalk_documents_expiry ON smalltalk_documents (generation, collection, expires_at)
  WHERE expires_at IS NOT NULL;

CREATE TABLE smalltalk_fields (
  generation integer NOT NULL,
  collection text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  field text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  "full" bytea,
  folded bytea
);
COMMENT ON TABLE smalltalk_fields IS 'by what documents are listed: the fields column of theirs, in the order of its values';
CREATE INDEX smalltalk_fields_order ON smalltalk_fields (generation, collection, field, key, id);
-- Behind that index, for of two that seem to cost the same the planner takes the younger one. Before it knows the table they
-- do seem so, and the other one would lead it past the fields of all documents to those of one. It begins with the id, so that
-- nothing that goes by a field and not by an id can be led past all of them by this one.
ALTER TABLE smalltalk_fields ADD PRIMARY KEY (id, collection, generation, field);

CREATE TABLE smalltalk_logs (
  generation integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  last_sequence bigint NOT NULL,
  crc bigint NOT NULL,
  PRIMARY KEY (generation, name)
);
COMMENT ON TABLE smalltalk_logs IS 'the last number that was given in logs whose last entry does not tell: it was trimmed, or set aside';

CREATE TABLE smalltalk_entries (
  generation integer NOT NULL,
  log text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  at bigint NOT NULL,
  crc bigint NOT NULL,
  json text COLLATE "C" NOT NULL,
  PRIMARY KEY (generation, log, sequence)
);
ALTER TABLE smalltalk_entries ALTER COLUMN json SET STORAGE EXTERNAL;

CREATE TABLE smalltalk_commits (
  writer text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  first_number bigint NOT NULL,
  at bigint NOT NULL,
  generation text COLLATE "C" NOT NULL,
  numbers text COLLATE "C" NOT NULL,
  digest bytea NOT NULL,
  PRIMARY KEY (writer, number)
);
COMMENT ON TABLE smalltalk_commits IS 'the last commits of each writer and what they answered, for one that is sent again';
COMMENT ON COLUMN smalltalk_commits.first_number IS 'a row is of the commits from this one to number; their answers are parted by semicolons';

CREATE TABLE smalltalk_damaged (
  key bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  record text NOT NULL,
  found_at timestamptz NOT NULL DEFAULT now(),
  columns text,
  json text
);

-- Called first by whatever writes records without knowing what the last one left: nobody else writes until the end of its
-- transaction, and whoever was the last before is not any more. Answers who that was.
CREATE FUNCTION smalltalk_take(p_holder text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before text;
BEGIN
  SELECT holder INTO STRICT before FROM smalltalk_holder WHERE only_one FOR UPDATE;
  UPDATE smalltalk_holder SET holder = p_holder WHERE only_one;
  RETURN before;
END $$;
`;

/** Milliseconds since the epoch, as a column of people's. */
const time = (column: string) => `to_timestamp(${column} / 1000.0)`;

/** The documents of one collection, as a person wants to see them; only those of the active generation that live. */
const documentsView = (name: string, collections: string, columns: string) => `
CREATE VIEW ${name} AS
  SELECT d.id, ${columns} d.version, ${time('d.expires_at')} AS expires_at, d.json::json AS value
  FROM smalltalk_documents d
  WHERE d.generation = (SELECT active FROM smalltalk_state) AND d.collection IN (${collections})
    AND (d.expires_at IS NULL OR d.expires_at > extract(epoch FROM now()) * 1000);`;

const property = (name: string, column: string) => `smalltalk_property(d.json, '${name}') AS ${column},`;
const moment = (name: string, column: string) => `smalltalk_moment(d.json, '${name}') AS ${column},`;

/** What people query. Views, because the tables hold several generations and only one of them is the data. */
const VIEWS = `
-- Nothing, rather than an error, for what is no JSON object or holds what PostgreSQL's text cannot (NUL).
CREATE FUNCTION smalltalk_property(json text, name text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN json::json ->> name;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

CREATE FUNCTION smalltalk_moment(json text, name text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN to_timestamp((json::json ->> name)::double precision / 1000.0);
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;
${documentsView(
  'sessions',
  "'sessions'",
  [
    property('title', 'title'),
    property('state', 'state'),
    property('status', 'status'),
    property('agentId', 'agent_id'),
    moment('createdAt', 'created_at'),
    moment('lastActivityAt', 'last_activity_at'),
  ].join('\n    '),
)}
COMMENT ON VIEW sessions IS 'the sessions; indexed by id, and by what smalltalk_fields names';
${documentsView(
  'agent_states',
  "'agents', 'agent_states'",
  [
    'd.collection,',
    property('name', 'name'),
    property('kind', 'kind'),
    moment('createdAt', 'created_at'),
  ].join('\n    '),
)}
COMMENT ON VIEW agent_states IS 'the agents: how they are configured, and the state that is kept of them';
${documentsView('health_checks', "'health_checks'", property('status', 'status'))}
COMMENT ON VIEW health_checks IS 'the health checks that were kept';

CREATE VIEW chat_messages AS
  SELECT substr(e.log, 10) AS session_id, e.sequence, ${time('e.at')} AS at,
    smalltalk_property(e.json, 'type') AS type,
    smalltalk_property(smalltalk_property(e.json, 'message'), 'role') AS role,
    coalesce(smalltalk_property(smalltalk_property(e.json, 'message'), 'text'), smalltalk_property(e.json, 'text')) AS text,
    e.json::json AS value
  FROM smalltalk_entries e
  WHERE e.generation = (SELECT active FROM smalltalk_state) AND e.log >= 'messages/' AND e.log < 'messages0';
COMMENT ON VIEW chat_messages IS 'the transcripts: every entry of every session, in the order (session_id, sequence)';

CREATE VIEW event_logs AS
  SELECT e.sequence, ${time('e.at')} AS at,
    smalltalk_property(e.json, 'type') AS type, smalltalk_property(e.json, 'subject') AS subject,
    smalltalk_property(e.json, 'correlationid') AS correlation_id, e.json::json AS value
  FROM smalltalk_entries e
  WHERE e.generation = (SELECT active FROM smalltalk_state) AND e.log = 'events';
COMMENT ON VIEW event_logs IS 'the events that are kept, by sequence';
`;

/**
 * What brings the tables from each number to the next, the first of which makes them. Never changed once it was published,
 * only added to.
 */
export const MIGRATIONS: readonly string[] = [TABLES + COMMIT_FUNCTIONS + WRITE_FUNCTIONS + VIEWS];

/** The number of the first one: those before it were in use before there was a release. */
export const FIRST_MIGRATION = 5;

/** The names that it takes in a schema. */
const NAMES = [...TABLES.matchAll(/CREATE TABLE (\w+)/g), ...VIEWS.matchAll(/CREATE VIEW (\w+)/g)].map(
  ([, name]) => name as string,
);

/**
 * Brings the tables of the current schema to this version, or makes them, in the one transaction in which it is called.
 * Two processes do it one after another. Rejects with `storage.newer_version`, and with `storage.unsupported_server` when
 * tables of others have the names.
 */
export async function migrate(client: ClientBase, migrations: readonly string[] = MIGRATIONS): Promise<void> {
  const schema = await currentSchema(client);
  const last = FIRST_MIGRATION + migrations.length - 1;
  const before = await migrationNumber(client);
  if (before === last) return;
  // By the schema and not by a table, which may not be there yet.
  await client.query(
    'SELECT pg_advisory_xact_lock((1398033749::bigint << 31) | $1::regnamespace::oid::bigint)',
    [`"${schema.replaceAll('"', '""')}"`],
  );
  const from = await migrationNumber(client);
  if (from > last) {
    throw fault(
      'storage.newer_version',
      `The tables in the schema ${schema} were made by a newer version (format ${from}; this one knows ${last}). Update this program, or use another schema.`,
      { found: from, known: last },
    );
  }
  if (from > 0 && from < FIRST_MIGRATION) {
    throw fault(
      'storage.unsupported_server',
      `The tables in the schema ${schema} were made by a version from before the first release (format ${from}), which this one cannot read. Nothing was touched. Make a backup with that version and restore it into another schema, or remove the tables.`,
      { found: from, known: last },
    );
  }
  if (from === 0) {
    await refuseForeignTables(client, schema);
    await client.query(
      'CREATE TABLE smalltalk_migrations (number integer PRIMARY KEY, applied_at timestamptz NOT NULL)',
    );
  }
  for (const [i, migration] of migrations.entries()) {
    const number = FIRST_MIGRATION + i;
    if (number <= from) continue;
    await client.query(migration);
    await client.query('INSERT INTO smalltalk_migrations VALUES ($1, now())', [number]);
  }
}

/** Where unqualified tables are made. */
async function currentSchema(client: ClientBase): Promise<string> {
  const { rows } = await client.query('SELECT current_schema() AS schema');
  const schema = rows[0]?.schema as string | null;
  if (schema === null) {
    throw fault(
      'storage.access_denied',
      'The search path of this user names no schema that is there; create one, or grant USAGE on it.',
    );
  }
  return schema;
}

/** How far the tables of the current schema are; 0 when there are none. */
async function migrationNumber(client: ClientBase): Promise<number> {
  // By the table of tables and not by name, which the server may still know as unknown from before the lock.
  const there = await client.query(
    `SELECT FROM pg_catalog.pg_class
     WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relname = 'smalltalk_migrations'`,
  );
  if (there.rows.length === 0) return 0;
  const { rows } = await client.query(
    'SELECT coalesce(max(number), 0)::text AS number FROM smalltalk_migrations',
  );
  return Number(rows[0]?.number);
}

async function refuseForeignTables(client: ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c
     WHERE c.relnamespace = $1::regnamespace AND c.relname = ANY ($2) ORDER BY 1`,
    [`"${schema.replaceAll('"', '""')}"`, NAMES],
  );
  if (rows.length === 0) return;
  const names = rows.map(({ name }) => name as string);
  throw fault(
    'storage.unsupported_server',
    `The schema ${schema} has tables of another program with the names ${names.join(', ')}. Nothing was touched. Use a database or a schema of its own, for instance by setting the search path of the user.`,
    { schema, tables: names },
  );
}
