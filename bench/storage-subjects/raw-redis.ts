import { Redis } from 'ioredis';
import {
  type LoadedSession,
  message,
  type NumberedMessage,
  type SessionDocument,
  type Subject,
  sessionDocument,
} from './work.ts';

/** As many as ours remembers. */
const COMMITS_KEPT = 1_024;

/**
 * The floor: ioredis, and the session, its message and its place in the list in one MULTI, one round trip. Many clients: 64
 * of those in one pipeline. With `recorded` it also writes what the port of ours promises: the version of the document, an
 * index that keeps any text in order, and the commit by its number, by which one that is sent again is known.
 */
export async function rawRedis(url: string, options: { recorded: boolean }): Promise<Subject> {
  const redis = new Redis(url, { keyPrefix: options.recorded ? 'recorded:' : 'raw:' });
  await redis.ping();
  const members = new Map<string, string>();
  let commits = 0;
  const record = (session: string, document: SessionDocument, number: number): unknown[][] => {
    const member = `${document.updatedAt}\0${session}`;
    const before = members.get(session);
    members.set(session, member);
    commits += 1;
    return [
      [
        'hset',
        'documents',
        `head:${session}`,
        `${number} ${document.title} ${document.state} ${document.updatedAt}`,
      ].concat([`value:${session}`, JSON.stringify(document)]),
      ...(before === undefined ? [] : [['zrem', 'sessions', before]]),
      ['zadd', 'sessions', 0, member],
      ['hset', 'commits', commits % COMMITS_KEPT, `${commits} ${number},${number}`],
    ];
  };
  const write = (session: string, numbers: number[]): unknown[][] => {
    const document = sessionDocument(session, numbers.at(-1) ?? 0);
    const lines = numbers.map((number): string => {
      const line: NumberedMessage = { sequence: number, at: Date.now(), value: message(session, number) };
      return JSON.stringify(line);
    });
    return [
      ['multi'],
      ['rpush', `messages:${session}`, ...lines],
      ...(options.recorded
        ? record(session, document, numbers.at(-1) ?? 0)
        : [
            ['set', `session:${session}`, JSON.stringify(document)],
            ['zadd', 'sessions', document.updatedAt, session],
          ]),
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
        options.recorded ? redis.hget('documents', `value:${session}`) : redis.get(`session:${session}`),
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
