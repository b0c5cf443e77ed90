import type { PoolClient } from 'pg';
import { fault } from '../../contract/error-codes.ts';
import type { StorageInfo, StorageNotice } from '../storage.ts';
import type { Connections } from './connections.ts';
import type { GenerationStore } from './generation-store.ts';
import { migrate } from './migrations.ts';

/** PostgreSQL 13 is the oldest that is kept up by its makers as this is written (until November 2025, and then some). */
const LEAST_VERSION = 130_000;

/** Writers that were not heard of for so long are not waited for. */
const REMEMBERED_MS = 30 * 24 * 3_600_000;

/** Checks the server, makes or migrates the tables, and sees to it that there is a generation; in one transaction. */
export async function openServer(
  connections: Connections,
  generations: GenerationStore,
  now: number,
): Promise<void> {
  await connections.transaction(async (client) => {
    await checkServer(client, connections.location);
    await migrate(client);
    await generations.begin(client);
    await client.query(
      `DELETE FROM smalltalk_commits WHERE writer IN
         (SELECT writer FROM smalltalk_commits GROUP BY writer HAVING max(at) < $1)`,
      [now - REMEMBERED_MS],
    );
  });
}

async function checkServer(client: PoolClient, location: string): Promise<void> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num') AS version, current_setting('server_version') AS name,
       current_setting('server_encoding') AS encoding, pg_is_in_recovery()::text AS standby`,
  );
  const { version, name, encoding, standby } = rows[0] as Record<string, string>;
  if (Number(version) < LEAST_VERSION) {
    throw fault(
      'storage.unsupported_server',
      `PostgreSQL at ${location} is version ${name}; version 13 or later is needed.`,
      { version: name },
    );
  }
  if (encoding !== 'UTF8') {
    throw fault(
      'storage.unsupported_server',
      `The database at ${location} has the encoding ${encoding}; it must be UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0).`,
      { encoding },
    );
  }
  if (standby === 'true') {
    throw fault(
      'storage.unsupported_server',
      `PostgreSQL at ${location} is a standby, which takes no writes. Use the address of the primary; a standby can be given as POSTGRES_READ_URL.`,
    );
  }
}

/** What the server is, and what its user should know of it. */
export async function serverInfo(connections: Connections, replicaUsable: boolean): Promise<StorageInfo> {
  const asked = performance.now();
  const rows = await connections.query(
    {
      name: 'smalltalk_info',
      text: `SELECT current_setting('server_version'), current_setting('fsync'), current_setting('full_page_writes')`,
    },
    [],
  );
  const latencyMs = performance.now() - asked;
  const [version, fsync, fullPageWrites] = rows[0] as string[];
  const notices: StorageNotice[] = [];
  if (fsync !== 'on' || fullPageWrites !== 'on') {
    notices.push({
      code: 'postgres.not_durable',
      message: `The server does not make sure that data is on its disk (${fsync === 'on' ? 'full_page_writes' : 'fsync'} is off): a crash of its machine can lose or damage everything.`,
    });
  }
  if (!replicaUsable) {
    notices.push({
      code: 'postgres.replica_unusable',
      message:
        'The read replica (POSTGRES_READ_URL) cannot be used at the moment; everything is read from the primary.',
    });
  }
  // Distributions add their own words behind the number.
  const product = `PostgreSQL ${version?.split(' ', 1)[0]}`;
  return { product, location: connections.location, latencyMs, notices };
}
