import type { PoolClient } from 'pg';
import { fault } from '../../contract/error-codes.ts';
import type { PostgresSettings } from '../../settings/settings.ts';
import type { StorageInfo } from '../storage.ts';
import { Connections } from './connections.ts';

/** Of the server versions that can be used the least, as `server_version_num`. */
const LEAST_VERSION = 130_000;

const QUESTION = `SELECT current_setting('server_version'), current_setting('server_version_num'),
  current_setting('server_encoding'), pg_is_in_recovery()::text, current_setting('transaction_read_only'),
  current_schema(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::text,
  to_regclass('smalltalk_documents')::text, current_user`;

/**
 * Asks a PostgreSQL what `open` would ask it, over one connection, and makes nothing there. Rejects with
 * `storage.unreachable`, `storage.access_denied`, `storage.tls_failed` or `storage.unsupported_server`.
 */
export async function probePostgres(settings: PostgresSettings): Promise<StorageInfo & { empty: boolean }> {
  const connections = new Connections({
    settings: { ...settings, poolMax: 1, poolMin: 0 },
    onDamaged: () => undefined,
  });
  try {
    return await connections.use((client) => look(client, connections.location));
  } finally {
    await connections.close();
  }
}

async function look(client: PoolClient, location: string): Promise<StorageInfo & { empty: boolean }> {
  const asked = performance.now();
  await client.query('SELECT 1');
  const latencyMs = performance.now() - asked;
  const { rows } = await client.query<(string | null)[]>({ text: QUESTION, rowMode: 'array' });
  const [version, number, encoding, standby, readOnly, schema, mayCreate, table, user] = rows[0] ?? [];
  const product = `PostgreSQL ${version}`;
  const refuse = (words: string) =>
    fault('storage.unsupported_server', `${product} at ${location} cannot be used: ${words}`, { location });
  if (Number(number) < LEAST_VERSION) throw refuse('it is too old, at least version 13 is needed.');
  if (encoding !== 'UTF8') {
    throw refuse(
      `its database is encoded in ${encoding}. Make one with ENCODING 'UTF8' and give its address.`,
    );
  }
  if (standby === 'true' || readOnly === 'on') {
    throw refuse(
      'it takes no writes, because it is a standby or set to be read-only. Give the address of the primary.',
    );
  }
  if (schema === null || schema === undefined || mayCreate !== 'true') {
    throw fault(
      'storage.access_denied',
      `The user ${user} may make no tables at ${location}. Grant it USAGE and CREATE on a schema, or make it the owner of the database.`,
      { location },
    );
  }
  const empty = table === null || table === undefined || (await holdsNothing(client));
  return { product, location, latencyMs, notices: [], empty };
}

async function holdsNothing(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<string[]>({
    text: 'SELECT EXISTS (SELECT FROM smalltalk_documents)::text',
    rowMode: 'array',
  });
  return rows[0]?.[0] === 'false';
}
