/**
 * What people would pick instead. Each saves a session as a whole, for none has an append; the session keeps its last 40
 * messages and with them its 20 KB. Their packages are in `bench/peers`, with versions of their own; they are loaded by name,
 * so that this compiles and runs without them.
 */
import { join } from 'node:path';
import { loadPeer } from '../peers/load-peer.ts';
import {
  type LoadedSession,
  MESSAGES,
  message,
  type NumberedMessage,
  type Subject,
  sessionDocument,
} from './work.ts';

/** One that saves and loads sessions as a whole. */
interface Store {
  save(session: string, value: LoadedSession): Promise<unknown>;
  load(session: string): Promise<LoadedSession | undefined>;
  close(): Promise<unknown> | undefined;
}

function subjectOf(store: Store): Subject {
  const sessions = new Map<string, NumberedMessage[]>();
  const append = (session: string, number: number) => {
    const messages = sessions.get(session) ?? [];
    messages.push({ sequence: number, at: Date.now(), value: message(session, number) });
    if (messages.length > MESSAGES) messages.shift();
    sessions.set(session, messages);
    return { document: sessionDocument(session, number), messages };
  };
  return {
    window: MESSAGES,
    async create(session, messages) {
      for (let number = 1; number < messages; number++) append(session, number);
      await store.save(session, append(session, messages));
    },
    async append(session, number) {
      await store.save(session, append(session, number));
    },
    async load(session) {
      const loaded = await store.load(session);
      if (loaded === undefined) throw new Error(`${session} is not there`);
      return loaded;
    },
    async close() {
      await store.close();
    },
  };
}

interface Checkpoint {
  v: number;
  id: string;
  ts: string;
  channel_values: { session: LoadedSession };
  channel_versions: Record<string, number>;
  versions_seen: Record<string, never>;
}

interface Saver {
  put(
    config: object,
    checkpoint: Checkpoint,
    metadata: object,
    versions: Record<string, number>,
  ): Promise<unknown>;
  getTuple(config: object): Promise<{ checkpoint: Checkpoint } | undefined>;
}

/** A session is a thread whose state is one channel; each save is a checkpoint, and a load is the latest. */
async function langGraph(saver: Saver, close: Store['close']): Promise<Subject> {
  const { uuid6 } = await loadPeer<{ uuid6(clock: number): string }>('@langchain/langgraph-checkpoint');
  const config = (session: string) => ({ configurable: { thread_id: session, checkpoint_ns: '' } });
  return subjectOf({
    save: (session, value) => {
      const versions = { session: value.document.messages };
      const checkpoint: Checkpoint = {
        v: 4,
        id: uuid6(value.document.messages),
        ts: new Date().toISOString(),
        channel_values: { session: value },
        channel_versions: versions,
        versions_seen: {},
      };
      const metadata = { source: 'loop', step: value.document.messages, parents: {} };
      return saver.put(config(session), checkpoint, metadata, versions);
    },
    load: async (session) => (await saver.getTuple(config(session)))?.checkpoint.channel_values.session,
    close,
  });
}

interface SqliteModule {
  default: new (file: string) => { pragma(text: string): unknown; close(): void };
}

export async function langGraphSqlite(folder: string): Promise<Subject> {
  const { default: Database } = await loadPeer<SqliteModule>('better-sqlite3');
  const { SqliteSaver } = await loadPeer<{
    SqliteSaver: new (database: object) => Saver & { setup(): void };
  }>('@langchain/langgraph-checkpoint-sqlite');
  const database = new Database(join(folder, 'langgraph.sqlite'));
  const saver = new SqliteSaver(database);
  saver.setup();
  // Its own default, NORMAL, would not be durable.
  database.pragma('synchronous = FULL');
  return langGraph(saver, () => {
    database.close();
    return undefined;
  });
}

export async function langGraphPostgres(url: string): Promise<Subject> {
  interface Module {
    PostgresSaver: {
      fromConnString(
        url: string,
        options: { schema: string },
      ): Saver & { setup(): Promise<void>; end(): Promise<void> };
    };
  }
  const { PostgresSaver } = await loadPeer<Module>('@langchain/langgraph-checkpoint-postgres');
  const saver = PostgresSaver.fromConnString(url, { schema: 'langgraph' });
  await saver.setup();
  return langGraph(saver, () => saver.end());
}

/**
 * It needs RedisJSON and RediSearch, which are not part of Redis 7: JSON.SET and JSON.GET become SET and GET of the same
 * text, and no index is made. What it costs for real is more than this.
 */
export async function langGraphRedis(url: string): Promise<Subject> {
  interface Client {
    connect(): Promise<unknown>;
    quit(): Promise<unknown>;
    set(key: string, value: string): Promise<unknown>;
    get(key: string): Promise<string | null>;
  }
  const { createClient } = await loadPeer<{ createClient(options: { url: string }): Client }>('redis');
  const { RedisSaver } = await loadPeer<{ RedisSaver: new (client: Client) => Saver }>(
    '@langchain/langgraph-checkpoint-redis',
  );
  const client = createClient({ url });
  await client.connect();
  const json = {
    set: (key: string, _path: string, value: unknown) => client.set(key, JSON.stringify(value)),
    get: async (key: string): Promise<unknown> => JSON.parse((await client.get(key)) ?? 'null'),
  };
  const search = { create: async () => undefined };
  const withoutModules = new Proxy(client, {
    get(target, name) {
      if (name === 'json') return json;
      if (name === 'ft') return search;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return langGraph(new RedisSaver(withoutModules), () => client.quit());
}

interface KeyvModule {
  default: new (options: {
    store: object;
  }) => {
    set(key: string, value: unknown): Promise<unknown>;
    get(key: string): Promise<LoadedSession | undefined>;
    disconnect(): Promise<void>;
  };
}

async function keyv(adapter: string, url: string): Promise<Subject> {
  const { default: Keyv } = await loadPeer<KeyvModule>('keyv');
  const { default: Adapter } = await loadPeer<{ default: new (url: string) => object }>(adapter);
  const store = new Keyv({ store: new Adapter(url) });
  return subjectOf({
    save: (session, value) => store.set(session, value),
    load: (session) => store.get(session),
    close: () => store.disconnect(),
  });
}

export const keyvRedis = (url: string) => keyv('@keyv/redis', url);
export const keyvPostgres = (url: string) => keyv('@keyv/postgres', url);

/** It overwrites the file where it is and syncs nothing: a crash may leave half a session. */
export async function unstorageFiles(folder: string): Promise<Subject> {
  interface Files {
    setItem(key: string, value: unknown): Promise<void>;
    getItem(key: string): Promise<LoadedSession | null>;
    dispose(): Promise<void>;
  }
  const { createStorage } = await loadPeer<{ createStorage(options: { driver: object }): Files }>(
    'unstorage',
  );
  const { default: driver } = await loadPeer<{ default(options: { base: string }): object }>(
    'unstorage/drivers/fs',
  );
  const files = createStorage({ driver: driver({ base: join(folder, 'unstorage') }) });
  return subjectOf({
    save: (session, value) => files.setItem(session, value),
    load: async (session) => (await files.getItem(session)) ?? undefined,
    close: () => files.dispose(),
  });
}
