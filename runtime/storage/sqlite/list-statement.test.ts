import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Position } from '../cursor.ts';
import type { ListQuery } from '../storage.ts';
import { createDatabase } from './database.ts';
import { candidateStatement, walkStatement } from './list-statement.ts';

let folder: string;
let database: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storage-plan-'));
  database = await createDatabase(join(folder, 'plan.sqlite'), 'durable');
});

afterAll(async () => {
  database.close();
  await rm(folder, { recursive: true });
});

/** How SQLite would carry the statement out; "SCAN <table>" means every row of it, "TEMP B-TREE" that it sorts. */
function plan({ sql, parameters }: { sql: string; parameters: unknown[] }): string {
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters) as { detail: string }[];
  return rows.map(({ detail }) => detail).join('\n');
}

const orderBy = { field: 'updated', direction: 'descending' } as const;
const start: Position = { value: 5, id: 'a' };
const byId: Position = { value: null, id: 'a' };

it.each<[string, Omit<ListQuery, 'limit'>, Position | undefined]>([
  ['by id', {}, undefined],
  ['by id, behind a cursor', {}, byId],
  ['filtered, by id', { where: [{ field: 'state', is: 'a' }] }, byId],
  [
    'filtered by several, by id',
    {
      where: [
        { field: 'n', from: 1, below: 5 },
        { field: 'state', in: ['a', 'b'] },
      ],
    },
    byId,
  ],
  ['ordered', { orderBy }, undefined],
  ['ordered, behind a cursor', { orderBy }, start],
  ['ordered ascending', { orderBy: { field: 'updated', direction: 'ascending' } }, start],
  ['ordered, of a range', { orderBy, where: [{ field: 'updated', from: 1, below: 9 }] }, start],
  ['ordered and filtered', { orderBy, where: [{ field: 'state', isNot: 'archived' }] }, start],
  ['ordered and searched', { orderBy, where: [{ field: 'title', contains: 'x' }] }, start],
])('walks an index to its page and sorts nothing: %s', (_name, query, from) => {
  const steps = plan(walkStatement('sessions', { ...query, limit: 50 }, from, 0));
  expect(steps).not.toMatch(/SCAN|TEMP B-TREE|AUTOMATIC/);
  expect(steps).toMatch(/^SEARCH [fd] USING/);
});

it.each([
  { field: 'state', is: 'a' },
  { field: 'state', in: ['a', 'b'] },
  { field: 'n', from: 1, below: 2 },
  { field: 'title', contains: 'x' },
])('finds candidates in the index of their field: %o', (filter) => {
  expect(plan(candidateStatement('sessions', filter, 501))).toMatch(
    /^SEARCH f USING (PRIMARY KEY|COVERING INDEX)/,
  );
});
