import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ListQuery } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';
import { SESSION } from './connections.ts';
import { candidateStatement, walkStatement } from './list-statement.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { settingsFor } from './testing/schema.ts';

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
