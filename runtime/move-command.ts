/** `npm run serve -- move --to …`: moves all data to another storage while the product does not run. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { STORAGE_NAMES } from './backup/create-moves.ts';
import { countRecords, moveData } from './backup/move-data.ts';
import { systemClock } from './base/clock.ts';
import { randomId } from './base/ids.ts';
import { createLogger } from './base/logger.ts';
import { fault, type MoveResult, type StorageChoice, storageKind } from './contract/index.ts';
import { readSettings, type Settings } from './index.ts';
import { createRedactor } from './settings/redact.ts';
import { pinnedByEnvironment, planStorage, type StoragePlan } from './settings/storage-choice.ts';
import { writeSettingsFile } from './settings/write-settings-file.ts';
import { InstanceLease } from './storage/instance-lease.ts';
import { createStorage } from './storage/open-storage.ts';
import type { Storage, StorageFault } from './storage/storage.ts';

export const MOVE_USAGE = `Usage: npm run serve -- move --to TARGET [options]

Copies all data to another storage, compares both, and lets the next start go by the new one. The source stays as it is.
SmallTalk Console must not run meanwhile: while it does, use Settings → Storage, which needs no stop. The data folder is
that of DATA_DIR, or ./data.

TARGET is one of
  sqlite                              a database in the data folder
  file                                readable files in the data folder
  redis://…  rediss://…               a Redis server
  postgres://…  postgresql://…        a PostgreSQL server
  redis, postgres, hybrid             with the addresses below, or those that are set already

Options
  --redis-url URL                     for redis and hybrid
  --redis-cluster-nodes H:P,H:P       for redis and hybrid
  --postgres-url URL                  for postgres and hybrid
  --help                              this text

Others can see the arguments of a program. To keep a password out of them set REDIS_URL or POSTGRES_URL in the
environment, and give only “--to redis” or “--to postgres”.
`;

/** What was wrong with the arguments, in words. */
export class UsageError extends Error {}

/** Reads the arguments after `move`; undefined when help is asked for. Throws {@link UsageError}. */
export function readMoveArguments(args: string[]): StorageChoice | undefined {
  const { values, positionals } = parsed(args);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw new UsageError(`“${positionals[0]}” is not understood here.`);
  if (values.to === undefined) throw new UsageError('Say where to with --to.');
  const scheme = URL.canParse(values.to) ? new URL(values.to).protocol : '';
  const byUrl = scheme === '' ? undefined : SCHEMES[scheme];
  if (scheme !== '' && byUrl === undefined) {
    throw new UsageError(`--to cannot be an address that begins with ${scheme}//.`);
  }
  const kind = storageKind.safeParse(byUrl ?? values.to);
  if (!kind.success) throw new UsageError(`There is no storage “${values.to}”.`);
  const type = kind.data;
  const url = (option: 'redis-url' | 'postgres-url', of: 'redis' | 'postgres') => {
    if (byUrl !== of) return values[option];
    if (values[option] !== undefined)
      throw new UsageError(`--to says the address already; leave out --${option}.`);
    return values.to;
  };
  const redisUrl = url('redis-url', 'redis');
  const postgresUrl = url('postgres-url', 'postgres');
  const clusterNodes = values['redis-cluster-nodes'];
  for (const [option, given, types] of [
    ['redis-url', redisUrl, ['redis', 'hybrid']],
    ['redis-cluster-nodes', clusterNodes, ['redis', 'hybrid']],
    ['postgres-url', postgresUrl, ['postgres', 'hybrid']],
  ] as const) {
    if (given !== undefined && !(types as readonly string[]).includes(type)) {
      throw new UsageError(`--${option} means nothing for ${type}.`);
    }
  }
  return {
    type,
    redis: {
      ...(redisUrl === undefined ? {} : { url: redisUrl }),
      ...(clusterNodes === undefined ? {} : { clusterNodes }),
    },
    postgres: postgresUrl === undefined ? {} : { url: postgresUrl },
  };
}

const SCHEMES: Readonly<Record<string, 'redis' | 'postgres'>> = {
  'redis:': 'redis',
  'rediss:': 'redis',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        to: { type: 'string' },
        'redis-url': { type: 'string' },
        'redis-cluster-nodes': { type: 'string' },
        'postgres-url': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}

/**
 * Moves, and says on `say` how far it is and what to do then. Aborted by the signal until the commit point. Rejects with
 * what the storages reject with: `storage.locked` when the product runs on the source or the target.
 */
export async function moveOffline(options: {
  env: Readonly<Record<string, string | undefined>>;
  choice: StorageChoice;
  signal: AbortSignal;
  say: (line: string) => void;
}): Promise<MoveResult> {
  const { env, choice, signal } = options;
  const settings = await readSettings({ env });
  const plan = planFor(settings, choice);
  const redact = createRedactor([...settings.secrets, ...plan.secrets]);
  const say = (line: string) => options.say(redact(line));
  const logger = createLogger({ level: 'warn', structured: false, write: say, redact });
  /** Each is met more than once. */
  const damaged = new Set<string>();
  const make = (of: Settings['storage'], onFault?: (fault: StorageFault) => void) =>
    createStorage({ ...of, dataDir: settings.dataDir, ...(onFault === undefined ? {} : { onFault }) });
  const source = await make(settings.storage, ({ record, message }) => {
    if (damaged.has(record)) return;
    damaged.add(record);
    say(`Damaged in the source, and left out: ${message}`);
  });
  const target = await make(plan.storage);
  try {
    await source.open();
    await refuseSetAside(source);
    await target.open();
    await refuseSame(source, target);
    const lease = new InstanceLease({ storage: source, instance: randomId(20), clock: systemClock, logger });
    for (const storage of [source, target]) await lease.refuseUsed(storage, signal);
    const context = tell(say, signal);
    const records = await countRecords(source, context);
    const result = await moveData({ source, target, logger, now: () => systemClock.now() }, context, {
      records,
      adopt: () => adopt(settings, plan),
    });
    say(summary(result, damaged.size));
    say(next(settings, plan));
    return result;
  } finally {
    await Promise.allSettled([source.close(), target.close()]);
  }
}

/** A plan cannot be refused here because of the environment: it is said at the end what to set there. */
function planFor(settings: Settings, choice: StorageChoice): StoragePlan {
  if (settings.storage.type === choice.type && (choice.type === 'sqlite' || choice.type === 'file')) {
    throw same(choice.type);
  }
  return planStorage(settings, choice);
}

/** A data file that was damaged and set aside by the opening leaves nothing to move: restoring a backup comes first. */
async function refuseSetAside(source: Storage): Promise<void> {
  const { notices } = await source.info();
  const notice = notices.find(({ code }) => code === 'storage.set_aside');
  if (notice !== undefined) throw fault('storage.corrupt', notice.message);
}

async function refuseSame(source: Storage, target: Storage): Promise<void> {
  const [here, there] = await Promise.all([source.info(), target.info()]);
  if (source.type === target.type && here.location === there.location) throw same(source.type);
}

const same = (type: string) => fault('storage.same', `The data is in this storage (${type}) already.`);

async function adopt(settings: Settings, plan: StoragePlan): Promise<void> {
  if (plan.pinned.length === 0) await writeSettingsFile(settings.dataDir, plan.changes);
}

/** Says each phase once, and how far it is every few seconds. */
function tell(say: (line: string) => void, signal: AbortSignal) {
  const EVERY_MS = 2000;
  let unit = '';
  let total: number | undefined;
  let last = 0;
  return {
    signal,
    phase(name: string, of: string, count?: number) {
      say(`${name} …`);
      unit = of;
      total = count;
      last = systemClock.monotonic();
    },
    progress(done: number) {
      if (systemClock.monotonic() - last < EVERY_MS) return;
      last = systemClock.monotonic();
      say(`  ${done}${total === undefined ? '' : ` of ${total}`} ${unit}`);
    },
    commit() {
      signal.throwIfAborted();
    },
  };
}

function summary({ from, to, records, keptPrevious }: MoveResult, damaged: number): string {
  return [
    `${records} records were copied from ${from.location} to ${to.location}, and found the same on both sides.`,
    ...(damaged === 0 ? [] : [`${damaged} damaged records of the source were left out.`]),
    ...(keptPrevious ? ['What the target held before is kept there as its previous data set.'] : []),
    `The source is as it was: to go back, move back (takes along what is added from now on), or set STORAGE_TYPE=${from.type} again.`,
  ].join('\n');
}

/** What the next start goes by, and what the user has to see to for that. */
function next(settings: Settings, plan: StoragePlan): string {
  const { type } = plan.storage;
  if (plan.pinned.length > 0) {
    const lines = Object.entries(plan.changes).map(([name, value]) =>
      value === null ? `  unset ${name}` : `  ${name}=${value}`,
    );
    return [
      `Now set this in the environment, because ${plan.pinned.join(', ')} there wins over settings.json:`,
      ...lines,
      'Until then the next start still uses the source.',
    ].join('\n');
  }
  const prefixes = [
    ...(type === 'redis' || type === 'hybrid' ? ['REDIS_'] : []),
    ...(type === 'postgres' || type === 'hybrid' ? ['POSTGRES_', 'PG'] : []),
  ];
  const needed = pinnedByEnvironment(settings).filter((name) =>
    prefixes.some((prefix) => name.startsWith(prefix)),
  );
  return [
    `From the next start on the data is in ${STORAGE_NAMES[storageKind.parse(type)]}: ${join(settings.dataDir, 'settings.json')} says so.`,
    ...(needed.length === 0
      ? []
      : [`Its address comes from the environment: keep ${needed.join(', ')} set there.`]),
  ].join('\n');
}
