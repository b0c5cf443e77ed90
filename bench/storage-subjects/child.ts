/** One subject of the storage benchmark in a process of its own: is told a case, answers with its figures. */
import { ADAPTERS, ourStorage } from './our-storage.ts';
import {
  keyvPostgres,
  keyvRedis,
  langGraphPostgres,
  langGraphRedis,
  langGraphSqlite,
  unstorageFiles,
} from './peers.ts';
import { rawFile, rawJournal } from './raw-file.ts';
import { rawPostgres } from './raw-postgres.ts';
import { rawRedis } from './raw-redis.ts';
import { rawSqlite } from './raw-sqlite.ts';
import {
  type CaseName,
  CLIENTS,
  check,
  LOADED_SESSIONS,
  MESSAGES,
  type Places,
  type RoundResult,
  type Subject,
} from './work.ts';

const SUBJECTS: Record<string, (folder: string, places: Places) => Promise<Subject>> = {
  'raw-sqlite': async (folder) => rawSqlite(folder, { together: false }),
  'raw-sqlite-together': async (folder) => rawSqlite(folder, { together: true }),
  'raw-file': async (folder) => rawFile(folder),
  'raw-journal': async (folder) => rawJournal(folder),
  'raw-redis': (_folder, { redis = '' }) => rawRedis(redis, { recorded: false }),
  'raw-redis-recorded': (_folder, { redis = '' }) => rawRedis(redis, { recorded: true }),
  'raw-postgres': (_folder, { postgres = '' }) => rawPostgres(postgres, { recorded: false }),
  'raw-postgres-recorded': (_folder, { postgres = '' }) => rawPostgres(postgres, { recorded: true }),
  'langgraph-sqlite': langGraphSqlite,
  'langgraph-redis': (_folder, { redis = '' }) => langGraphRedis(redis),
  'langgraph-postgres': (_folder, { postgres = '' }) => langGraphPostgres(postgres),
  'keyv-redis': (_folder, { redis = '' }) => keyvRedis(redis),
  'keyv-postgres': (_folder, { postgres = '' }) => keyvPostgres(postgres),
  'unstorage-files': unstorageFiles,
};
for (const type of ADAPTERS) SUBJECTS[type] = (folder, places) => ourStorage(type, folder, places);

const [name = '', folder = '', places = '{}'] = process.argv.slice(2);
const make = SUBJECTS[name];
if (make === undefined || process.send === undefined) throw new Error('This is started by bench/storage.ts.');
const subject = await make(folder, JSON.parse(places) as Places);
const counts = new Map<string, number>();
const next = (session: string) => {
  const number = (counts.get(session) ?? 0) + 1;
  counts.set(session, number);
  return number;
};
const keptOf = (messages: number) => Math.min(messages, subject.window ?? messages);

for (let i = 0; i < LOADED_SESSIONS; i++) await subject.create(`loaded-${i}`, MESSAGES);

const CASES: Record<CaseName, (operations: number, latencies: number[]) => Promise<void>> = {
  /** One client: the next append begins when the one before was answered. */
  async append(operations, latencies) {
    for (let i = 0; i < operations; i++) {
      const session = `single-${i % LOADED_SESSIONS}`;
      const number = next(session);
      const begun = performance.now();
      await subject.append(session, number);
      latencies.push(performance.now() - begun);
    }
  },
  /** 64 clients at once, each of which goes on when its own append was answered. */
  async clients(operations, latencies) {
    const sessions = Array.from({ length: CLIENTS }, (_, i) => `client-${i}`);
    const each = Math.ceil(operations / CLIENTS);
    if (subject.appendMany !== undefined) {
      for (let i = 0; i < each; i++) {
        const appends = sessions.map((session) => ({ session, number: next(session) }));
        const begun = performance.now();
        await subject.appendMany(appends, () => latencies.push(performance.now() - begun));
      }
      return;
    }
    const client = async (session: string) => {
      for (let i = 0; i < each; i++) {
        const begun = performance.now();
        await subject.append(session, next(session));
        latencies.push(performance.now() - begun);
      }
    };
    await Promise.all(sessions.map(client));
  },
  async load(operations, latencies) {
    for (let i = 0; i < operations; i++) {
      const session = `loaded-${(i * 7) % LOADED_SESSIONS}`;
      const begun = performance.now();
      const loaded = await subject.load(session);
      latencies.push(performance.now() - begun);
      check(session, loaded, MESSAGES);
    }
  },
};

/** What was appended must be what is there. */
async function verify(): Promise<void> {
  for (const [session, messages] of counts) {
    if (messages <= 1_000) check(session, await subject.load(session), messages, keptOf(messages));
  }
}

async function answer(message: { case: CaseName; operations: number } | 'verify' | 'end'): Promise<void> {
  if (message === 'end') {
    await subject.close();
    process.disconnect();
    return;
  }
  if (message === 'verify') {
    await verify();
    process.send?.({ verified: true });
    return;
  }
  const latencies: number[] = [];
  const begun = performance.now();
  await CASES[message.case](message.operations, latencies);
  const result: RoundResult = { latencies, seconds: (performance.now() - begun) / 1000 };
  process.send?.(result);
}

// A benchmark that was killed must not leave its subjects behind.
process.on('disconnect', () => process.exit());
process.on('message', (message: Parameters<typeof answer>[0]) => {
  answer(message).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.send({ ready: true });
