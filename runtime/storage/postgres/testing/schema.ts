import { Client } from 'pg';
import { randomId } from '../../../base/ids.ts';
import type { PostgresSettings } from '../../../settings/settings.ts';

/** The settings as they are by default, for a server at this address; a smaller pool, for tests run many side by side. */
export function settingsFor(url: string, more: Partial<PostgresSettings> = {}): PostgresSettings {
  return {
    url,
    poolMax: 6,
    poolMin: 1,
    idleTimeoutMs: 30_000,
    connectionTimeoutMs: 2_000,
    maxLifetimeMs: 60_000,
    statementTimeoutMs: 30_000,
    queryTimeoutMs: 30_000,
    ...more,
  };
}

/** Makes an empty schema, and says how to remove it with all that is in it. */
export async function makeSchema(url: string): Promise<{ schema: string; drop: () => Promise<void> }> {
  const schema = `test_${randomId(12)}`;
  await runSql(url, `CREATE SCHEMA ${schema}`);
  return { schema, drop: async () => void (await runSql(url, `DROP SCHEMA ${schema} CASCADE`)) };
}

/** Runs statements over a connection of its own; answers the rows of the last. */
export async function runSql<Row extends object = Record<string, unknown>>(
  url: string,
  sql: string,
  schema?: string,
): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    if (schema !== undefined) await client.query(`SET search_path TO ${schema}`);
    const answer = await client.query<Row>(sql);
    const last = Array.isArray(answer) ? answer.at(-1) : answer;
    return last.rows;
  } finally {
    await client.end();
  }
}
