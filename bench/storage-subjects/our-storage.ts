import { openStorage } from '../../runtime/storage/open-storage.ts';
import type { Operation } from '../../runtime/storage/storage.ts';
import {
  type LoadedSession,
  type Message,
  message,
  type SessionDocument,
  type Subject,
  sessionDocument,
} from './work.ts';

/** Our sqlite adapter, used as the sessions use it. */
export async function ourStorage(dataDir: string): Promise<Subject> {
  const storage = await openStorage({ type: 'sqlite', dataDir });

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
      return { document: document.value, messages: entries.map(({ value }) => value) };
    },
    close: () => storage.close(),
  };
}
