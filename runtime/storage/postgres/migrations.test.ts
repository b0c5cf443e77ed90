import { Client } from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { rejection } from '../contract/fixture.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { FIRST_MIGRATION, MIGRATIONS, migrate } from './migrations.ts';
import { usePostgres } from './testing/postgres-fixture.ts';
import { runSql } from './testing/schema.ts';

const NUMBERS = MIGRATIONS.map((_, i) => ({ number: FIRST_MIGRATION + i }));
const LAST = FIRST_MIGRATION + MIGRATIONS.length - 1;
const VIEWS = ['agent_states', 'chat_messages', 'event_logs', 'health_checks', 'sessions'];

describeWithServers(['postgres'], 'the tables in PostgreSQL', () => {
  const server = usePostgres();

  const start = () => server.newSchema();
  const relations = (schema: string) =>
    runSql<{ name: string }>(
      server.url,
      `SELECT relname AS name FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1`,
    ).then((rows) => rows.map(({ name }) => name));

  it('are made once when several processes open at the same time', async () => {
    const { schema, make, sql } = await start();
    const all = Array.from({ length: 4 }, make);
    await Promise.all(all.map((storage) => storage.open()));
    await Promise.all(all.map((storage) => storage.close()));
    expect(await sql('SELECT number FROM smalltalk_migrations ORDER BY 1')).toEqual(NUMBERS);
    expect(await relations(schema)).toEqual(expect.arrayContaining(VIEWS));
  });

  it('of a newer version are refused and left as they are', async () => {
    const { make, sql } = await start();
    const storage = make();
    await storage.open();
    await storage.close();
    await sql('INSERT INTO smalltalk_migrations VALUES (99, now())');
    const error = await rejection(storage.open());
    expect(error).toMatchObject({
      code: 'storage.newer_version',
      data: { found: 99, known: LAST },
    });
    await sql('DELETE FROM smalltalk_migrations WHERE number = 99');
    await storage.open();
    await storage.close();
  });

  it('from before the first release are refused and left as they are', async () => {
    const { schema, make, sql } = await start();
    await sql(
      'CREATE TABLE smalltalk_migrations (number integer PRIMARY KEY, applied_at timestamptz NOT NULL)',
    );
    await sql('INSERT INTO smalltalk_migrations VALUES (1, now()), (2, now())');
    const error = await rejection(make().open());
    expect(error).toMatchObject({ code: 'storage.unsupported_server', data: { found: 2, known: LAST } });
    expect(error.message).toContain('backup');
    expect(await relations(schema)).toEqual(['smalltalk_migrations']);
    expect(await sql('SELECT number FROM smalltalk_migrations ORDER BY 1')).toEqual([
      { number: 1 },
      { number: 2 },
    ]);
  });

  it.each(['sessions', 'smalltalk_logs'])(
    'of another program, named %s, are refused and not touched',
    async (name) => {
      const { schema, make, sql } = await start();
      await sql(`CREATE TABLE ${name} (mine text); INSERT INTO ${name} VALUES ('kept')`);
      const error = await rejection(make().open());
      expect(error).toMatchObject({ code: 'storage.unsupported_server', data: { schema, tables: [name] } });
      expect(await relations(schema)).toEqual([name]);
      expect(await sql(`SELECT mine FROM ${name}`)).toEqual([{ mine: 'kept' }]);
    },
  );

  it('show people the active generation, and nothing that has expired', async () => {
    const { make, sql } = await start();
    const storage = make();
    onTestFinished(() => storage.close());
    await storage.open();
    const session = {
      title: 'A talk',
      state: 'active',
      status: 'idle',
      agentId: 'echo',
      createdAt: 1_700_000_000_000,
    };
    await storage.commit([
      { kind: 'put', collection: 'sessions', id: 'a', value: session, index: { state: 'active' } },
      { kind: 'put', collection: 'sessions', id: 'odd', value: 'not an object \u0000' },
      { kind: 'put', collection: 'sessions', id: 'gone', value: session, expiresAt: 5 },
      { kind: 'put', collection: 'agents', id: 'echo', value: { name: 'Echo' } },
      { kind: 'put', collection: 'health_checks', id: '1', value: { status: 'healthy' } },
      {
        kind: 'append',
        log: 'messages/a',
        value: { type: 'message', message: { role: 'user', text: 'Hello' } },
      },
      { kind: 'append', log: 'messages/a', value: { type: 'part', messageId: 'm', text: '\u0000' } },
      {
        kind: 'append',
        log: 'events',
        value: { type: 'agent.started', subject: 'echo', correlationid: 'c' },
      },
    ]);
    expect(
      await sql(
        `SELECT id, title, state, agent_id, version::integer, created_at::date::text AS day FROM sessions`,
      ),
    ).toEqual([
      { id: 'a', title: 'A talk', state: 'active', agent_id: 'echo', version: 1, day: '2023-11-14' },
      { id: 'odd', title: null, state: null, agent_id: null, version: 1, day: null },
    ]);
    expect(
      await sql('SELECT session_id, sequence::integer, role, text FROM chat_messages ORDER BY 2'),
    ).toEqual([
      { session_id: 'a', sequence: 1, role: 'user', text: 'Hello' },
      { session_id: 'a', sequence: 2, role: null, text: null },
    ]);
    expect(await sql('SELECT type, subject, correlation_id FROM event_logs')).toEqual([
      { type: 'agent.started', subject: 'echo', correlation_id: 'c' },
    ]);
    expect(await sql('SELECT id, name FROM agent_states')).toEqual([{ id: 'echo', name: 'Echo' }]);
    expect(await sql('SELECT status FROM health_checks')).toEqual([{ status: 'healthy' }]);
    const writer = await storage.generations.create('empty');
    await writer.seal();
    await storage.generations.activate(writer.id);
    for (const view of VIEWS) expect(await sql(`SELECT * FROM ${view}`)).toEqual([]);
  });

  it('keep what they hold when the processes that build a generation are gone', async () => {
    const { make, sql } = await start();
    const [one, two] = [make(), make()];
    onTestFinished(() => Promise.all([one.close(), two.close()]).then(() => undefined));
    await one.open();
    const writer = await one.generations.create('left');
    await writer.write([
      { kind: 'document', collection: 'sessions', id: 'a', version: 1, json: '1', index: {} },
    ]);
    await two.open();
    const building = () => sql('SELECT id FROM smalltalk_generations WHERE NOT sealed');
    expect(await building()).toHaveLength(1);
    // As if its builder had been killed a while ago.
    await sql("UPDATE smalltalk_generations SET leased_until = now() - interval '1 second' WHERE NOT sealed");
    await two.generations.create('next').then((next) => next.discard());
    expect(await building()).toEqual([]);
    expect(await sql('SELECT FROM smalltalk_documents')).toEqual([]);
    expect((await rejection(writer.seal())).code).toBe('storage.invalid');
  });

  it('are brought from the first number to this one with what is in them', async () => {
    const { schema, make } = await start();
    const client = new Client({ connectionString: server.url });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(`SET search_path TO ${schema}`);
    await client.query('BEGIN');
    await migrate(client, MIGRATIONS.slice(0, 1));
    await client.query('COMMIT');
    const storage = make();
    await storage.open();
    const put = { kind: 'put', collection: 'sessions', id: 'a', value: 1, index: { title: 'A' } } as const;
    for (const version of [1, 2]) expect(await storage.commit([put])).toEqual([{ version }]);
    await storage.close();
  });

  it('are brought from one number to the next wholly or not at all', async () => {
    const { schema, make, sql } = await start();
    const storage = make();
    await storage.open();
    await storage.commit([{ kind: 'put', collection: 'sessions', id: 'a', value: 1 }]);
    await storage.close();
    const client = new Client({ connectionString: server.url });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(`SET search_path TO ${schema}`);
    const next = 'ALTER TABLE smalltalk_documents ADD COLUMN added integer';

    await client.query('BEGIN');
    await rejection(migrate(client, [...MIGRATIONS, `${next}; SELECT 1 / 0`]));
    await client.query('ROLLBACK');
    const known = NUMBERS;
    expect(await sql('SELECT number FROM smalltalk_migrations ORDER BY 1')).toEqual(known);
    await storage.open();
    expect((await storage.get('sessions', 'a'))?.value).toBe(1);
    await storage.close();

    await client.query('BEGIN');
    await migrate(client, [...MIGRATIONS, next]);
    await client.query('COMMIT');
    expect(await sql('SELECT number FROM smalltalk_migrations ORDER BY 1')).toEqual([
      ...known,
      { number: LAST + 1 },
    ]);
    expect(await sql('SELECT id, added FROM smalltalk_documents')).toEqual([{ id: 'a', added: null }]);
    expect((await rejection(storage.open())).code).toBe('storage.newer_version');
  });
});
