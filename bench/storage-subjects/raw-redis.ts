import { Redis } from 'ioredis';
import { type LoadedSession, message, type NumberedMessage, type Subject, sessionDocument } from './work.ts';

/**
 * The floor: ioredis, and the session, its message and its place in the list in one MULTI, one round trip. Many clients: 64
 * of those in one pipeline.
 */
export async function rawRedis(url: string): Promise<Subject> {
  const redis = new Redis(url, { keyPrefix: 'raw:' });
  await redis.ping();
  const write = (session: string, numbers: number[]): unknown[][] => {
    const document = sessionDocument(session, numbers.at(-1) ?? 0);
    const lines = numbers.map((number): string => {
      const line: NumberedMessage = { sequence: number, at: Date.now(), value: message(session, number) };
      return JSON.stringify(line);
    });
    return [
      ['multi'],
      ['set', `session:${session}`, JSON.stringify(document)],
      ['rpush', `messages:${session}`, ...lines],
      ['zadd', 'sessions', document.updatedAt, session],
      ['exec'],
    ];
  };
  const run = async (commands: unknown[][]) => {
    const failed = (await redis.pipeline(commands).exec())?.find(([error]) => error !== null);
    if (failed !== undefined) throw failed[0];
  };
  return {
    create: (session, messages) =>
      run(
        write(
          session,
          Array.from({ length: messages }, (_, i) => i + 1),
        ),
      ),
    append: (session, number) => run(write(session, [number])),
    async appendMany(appends, answered) {
      await run(appends.flatMap(({ session, number }) => write(session, [number])));
      for (const _ of appends) answered();
    },
    async load(session): Promise<LoadedSession> {
      const [document, lines] = await Promise.all([
        redis.get(`session:${session}`),
        redis.lrange(`messages:${session}`, 0, -1),
      ]);
      if (document === null) throw new Error(`${session} is not there`);
      return { document: JSON.parse(document), messages: lines.map((line) => JSON.parse(line)) };
    },
    async close() {
      await redis.quit();
    },
  };
}
