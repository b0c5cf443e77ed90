import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkOperations } from '../checked-input.ts';
import type { Filter, ListQuery, Operation } from '../storage.ts';
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
const FEW = 100;

describeWithServers(['postgres'], 'lists in PostgreSQL', () => {
  let server: PostgresServer;
  let client: Client;
  beforeAll(async () => {
    server = await startPostgres();
    const storage = new PostgresStorage({ postgres: settingsFor(server.url) });
    await storage.open();
    const put = (collection: string, i: number): Operation => ({
      kind: 'put',
      collection,
      id: `id-${i}`,
      value: { text: 'x'.repeat(100) },
      index: { lastActivityAt: i, state: i % 2 === 0 ? 'active' : 'idle', title: `Conversation of ${i}` },
    });
    await storage.commit(Array.from({ length: FEW }, (_, i) => put('few', i)));
    for (let from = 0; from < COUNT; from += 10_000) {
      await storage.commit(Array.from({ length: 10_000 }, (_, i) => put('sessions', from + i)));
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

  describe.each([
    ['before the server knows its tables', false],
    ['when it knows them', true],
  ])('%s', (_when, analyze) => {
    beforeAll(async () => {
      if (analyze) await client.query('ANALYZE');
    });

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
      // The first time the server looks into its own tables, too.
      await taken();
      expect(Math.max(...(await taken()))).toBeLessThan(150);
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
    });

    it.each<[string, Filter]>([
      ['of a value', { field: 'lastActivityAt', is: 7 }],
      ['of some values', { field: 'lastActivityAt', in: [7, 8] }],
      ['of a range', { field: 'lastActivityAt', from: 7, below: 9 }],
    ])('look for few candidates %s by the index alone', async (_name, filter) => {
      const { looked } = await cost(candidateStatement('sessions', filter, 501));
      expect(looked).toBeLessThan(20);
    });
  });
});
