import { createStorage, type OpenStorageOptions } from '../../runtime/storage/open-storage.ts';
import type { Operation, Storage } from '../../runtime/storage/storage.ts';
import {
  type LoadedSession,
  type Message,
  message,
  type Places,
  type SessionDocument,
  type Subject,
  sessionDocument,
} from './work.ts';

/** The types of storage that are measured. */
export const ADAPTERS = ['sqlite', 'file', 'redis', 'postgres', 'hybrid'] as const;

export type AdapterName = (typeof ADAPTERS)[number];

/** Makes one of our adapters as the product makes it, with the settings that it has by default; not open yet. */
export function makeOurs(type: AdapterName, dataDir: string, places: Places): Promise<Storage> {
  const options: OpenStorageOptions = {
    type,
    dataDir,
    redis: { clusterNodes: [], ...(places.redis === undefined ? {} : { url: places.redis }) },
    postgres: {
      ...(places.postgres === undefined ? {} : { url: places.postgres }),
      poolMax: 10,
      poolMin: 2,
      idleTimeoutMs: 30_000,
      connectionTimeoutMs: 5_000,
      maxLifetimeMs: 0,
      statementTimeoutMs: 30_000,
      queryTimeoutMs: 30_000,
    },
    hybridHotHours: 24,
  };
  return createStorage(options);
}

/** One of our adapters, used as the sessions use it. */
export async function ourStorage(type: AdapterName, dataDir: string, places: Places): Promise<Subject> {
  const storage = await makeOurs(type, dataDir, places);
  await storage.open();

  const operations = (session: string, number: number): Operation[] => {
    const value = sessionDocument(session, number);
    return [
      {
        kind: 'put',
        collection: 'sessions',
        id: session,
        value,
        index: { title: value.title, state: value.state, updatedAt: value.updatedAt },
      },
      { kind: 'append', log: `messages/${session}`, value: message(session, number) },
    ];
  };
  return {
    async create(session, messages) {
      await storage.commit(Array.from({ length: messages }, (_, i) => operations(session, i + 1)).flat());
    },
    async append(session, number) {
      const [put, appended] = await storage.commit(operations(session, number));
      if (put?.version === undefined || appended?.sequence !== number) {
        throw new Error(`${session} was given the wrong numbers: ${JSON.stringify([put, appended])}`);
      }
    },
    async load(session): Promise<LoadedSession> {
      const [document, entries] = await Promise.all([
        storage.get<SessionDocument>('sessions', session),
        storage.read<Message>(`messages/${session}`),
      ]);
      if (document === undefined) throw new Error(`${session} is not there`);
      return { document: document.value, messages: entries };
    },
    close: () => storage.close(),
  };
}
