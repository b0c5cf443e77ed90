import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkOperations } from '../checked-input.ts';
import type { ListQuery, Operation } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';
import { COMMIT_STATEMENT, commitArguments } from './commit-arguments.ts';
import { SESSION } from './connections.ts';
import { DirectCommit } from './direct-commit.ts';
import { KnownRecords } from './known-records.ts';
import { candidateStatement, walkStatement } from './list-statement.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { settingsFor } from './testing/schema.ts';
import { WRITE_STATEMENT, WriteBatch } from './write-arguments.ts';

const COUNT = 20_000;

describeWithServers(['postgres'], 'lists in PostgreSQL', () => {
  let server: PostgresServer;
  let client: Client;
  beforeAll(async () => {
    server = await startPostgres();
    const storage = new PostgresStorage({ postgres: settingsFor(server.url) });
    await storage.open();
    for (let from = 0; from < COUNT; from += 10_000) {
      await storage.commit(
        Array.from({ length: 10_000 }, (_, i) => ({
          kind: 'put',
          collection: 'sessions',
          id: `id-${from + i}`,
          value: { text: 'x'.repeat(100) },
          index: { lastActivityAt: from + i, state: i % 2 === 0 ? 'active' : 'idle' },
        })),
      );
    }
    await storage.close();
    client = new Client({ connectionString: server.url });
    await client.connect();
    await client.query(SESSION);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  /** How many rows of all kinds the server looked at, and how it found them. */
  async function cost({ sql, values }: { sql: string; values: unknown[] }) {
    const { rows } = await client.query(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${sql}`, values);
    const nodes: { type: string; looked: number }[] = [];
    const visit = (node: Record<string, unknown>) => {
      const loops = Number(node['Actual Loops']);
      const looked = (Number(node['Actual Rows']) + Number(node['Rows Removed by Filter'] ?? 0)) * loops;
      nodes.push({ type: String(node['Node Type']), looked });
      for (const child of (node.Plans ?? []) as Record<string, unknown>[]) visit(child);
    };
    visit(rows[0]['QUERY PLAN'][0].Plan);
    return {
      types: nodes.map(({ type }) => type),
      looked: nodes.reduce((sum, { looked }) => sum + looked, 0),
    };
  }

  /** How many pages of the tables and their indexes the server took up for a commit, which is taken back. */
  async function pages(text: string, values: unknown[]): Promise<number> {
    await client.query('BEGIN');
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values);
    await client.query('ROLLBACK');
    const plan = rows[0]['QUERY PLAN'][0].Plan as Record<string, number>;
    return (plan['Shared Hit Blocks'] as number) + (plan['Shared Read Blocks'] as number);
  }

  it('cost a commit to one document no look at the others', async () => {
    const commit = (operation: Operation) => [
      { id: { writer: 'w', number: 1 }, operations: checkOperations([operation]) },
    ];
    const key = { collection: 'sessions', id: 'id-15000' };
    const put = { kind: 'put', ...key, value: 1 } as const;
    const changed = WriteBatch.of(commit({ ...put, index: { lastActivityAt: 1, state: 'idle' } }), 1);
    const fewer = commitArguments(commit({ ...put, index: { state: 'active' } }), 1, 'call');
    const gone = commitArguments(commit({ kind: 'delete', ...key }), 1, 'call');
    const known = new KnownRecords();
    const { rows } = await client.query('SELECT active, active_id FROM smalltalk_state');
    known.hold('call', { key: rows[0].active, generation: rows[0].active_id, before: '' });
    known.setNumber({ writer: 'w', number: 1 });
    const direct = (...ids: string[]) => {
      const operations = ids.map((id): Operation => {
        const index = { lastActivityAt: Number(id.slice(3)), state: 'active' };
        known.setDocument('sessions', id, { version: 1, fields: JSON.stringify(index), index });
        return {
          kind: 'put',
          collection: 'sessions',
          id,
          value: 1,
          index: { lastActivityAt: 1, state: 'idle' },
        };
      });
      const commits = [{ id: { writer: 'w', number: 2 }, operations: checkOperations(operations) }];
      const { statement, values } = DirectCommit.of(commits, known, 1)?.toStatement(undefined) ?? {};
      return pages(statement?.text ?? '', values ?? []);
    };
    await client.query("UPDATE smalltalk_holder SET holder = 'call'");
    const taken = async () => [
      await direct('id-15000'),
      await direct('id-15000', 'id-300'),
      await pages(WRITE_STATEMENT.text, changed?.toArguments('call', false, undefined) ?? []),
      await pages(COMMIT_STATEMENT.text, fewer),
      await pages(COMMIT_STATEMENT.text, gone),
    ];
    // Before and after the server has got to know the tables; the first time it looks into its own ones, too.
    for (const analyze of [false, true]) {
      if (analyze) await client.query('ANALYZE');
      await taken();
      expect(Math.max(...(await taken()))).toBeLessThan(150);
    }
  });

  const newest = { field: 'lastActivityAt', direction: 'descending' } as const;
  it.each<[string, Omit<ListQuery, 'limit'>]>([
    ['by id', {}],
    ['by a field', { orderBy: newest }],
    ['by a field, filtered by another', { orderBy: newest, where: [{ field: 'state', is: 'active' }] }],
    [
      'by a field, without a value of another',
      { orderBy: newest, where: [{ field: 'state', isNot: 'idle' }] },
    ],
    [
      'by a field, of a range',
      { orderBy: newest, where: [{ field: 'lastActivityAt', from: 5, below: 19_000 }] },
    ],
    ['by id, filtered', { where: [{ field: 'state', is: 'idle' }] }],
  ])('%s look at a page of rows and not at all of them', async (_name, query) => {
    // Before and after the server has got to know the tables.
    for (const analyze of [false, true]) {
      if (analyze) await client.query('ANALYZE');
      const start =
        query.orderBy === undefined ? { value: null, id: 'id-5' } : { value: 15_000, id: 'id-15000' };
      for (const from of [undefined, start]) {
        const { types, looked } = await cost(
          walkStatement('sessions', { ...query, limit: 50 }, from, 1, false),
        );
        expect(looked).toBeLessThan(1_500);
        expect(types).not.toContain('Sort');
        expect(types.filter((type) => type === 'Seq Scan').length).toBeLessThanOrEqual(2);
      }
    }
  });

  it('look for few candidates by the index alone', async () => {
    const { looked } = await cost(candidateStatement('sessions', { field: 'lastActivityAt', is: 7 }, 501));
    expect(looked).toBeLessThan(20);
  });
});
