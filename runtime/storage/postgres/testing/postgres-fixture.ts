import { afterAll, beforeAll, onTestFinished } from 'vitest';
import type { StorageOptions } from '../../storage.ts';
import { type PostgresServer, startPostgres } from '../../testing/servers/postgres-server.ts';
import { PostgresStorage } from '../postgres-storage.ts';
import { makeSchema, runSql, settingsFor } from './schema.ts';

/** A schema of the case that is running; removed after it. */
export interface CaseSchema {
  readonly schema: string;
  /** One more storage on it, not open yet; closed after the case. */
  make(options?: StorageOptions): PostgresStorage;
  /** Runs statements past all storages; answers the rows of the last. */
  sql<Row extends object = Record<string, unknown>>(text: string): Promise<Row[]>;
}

/** The server of a suite. */
export interface SuiteServer {
  readonly url: string;
  readonly adminUrl: string;
  newSchema(): Promise<CaseSchema>;
}

/** Registers what starts and ends a server for the cases of a suite. */
export function usePostgres(): SuiteServer {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  return {
    get url() {
      return server.url;
    },
    get adminUrl() {
      return server.adminUrl;
    },
    async newSchema() {
      const { schema, drop } = await makeSchema(server.url);
      const made: PostgresStorage[] = [];
      onTestFinished(async () => {
        await Promise.all(made.map((storage) => storage.close()));
        await drop();
      });
      return {
        schema,
        make(options = {}) {
          const storage = new PostgresStorage({ ...options, postgres: settingsFor(server.url), schema });
          made.push(storage);
          return storage;
        },
        sql: (text) => runSql(server.url, text, schema),
      };
    },
  };
}
