import { fault, type StorageChoice } from '../contract/index.ts';
import type { Settings, StorageSettings } from './settings.ts';
import { definitionOf, type SettingName } from './settings-schema.ts';

/** What a storage that is to be gone to needs: how it is opened, and what `settings.json` has to say from then on. */
export interface StoragePlan {
  storage: StorageSettings;
  /** By name; null for a setting that goes out of the file, because it would contradict the new ones. */
  changes: Partial<Record<SettingName, string | null>>;
  /** Settings that would have to change and cannot, because the environment gives them. */
  pinned: SettingName[];
  /** Passwords that came in, for redaction. */
  secrets: string[];
}

/** The settings that say which storage it is and where. */
const ADDRESS_SETTINGS = [
  'STORAGE_TYPE',
  'REDIS_URL',
  'REDIS_CLUSTER_NODES',
  'POSTGRES_URL',
  'POSTGRES_READ_URL',
  'PGHOST',
  'PGPORT',
  'PGDATABASE',
  'PGUSER',
  'POSTGRES_PASSWORD',
] as const satisfies readonly SettingName[];

/** Resolves a choice against the settings in force. Throws `request.invalid`, which names the field. */
export function planStorage(settings: Settings, choice: StorageChoice): StoragePlan {
  const { type } = choice;
  const redis = type === 'redis' || type === 'hybrid' ? redisOf(settings, choice) : undefined;
  const postgres = type === 'postgres' || type === 'hybrid' ? postgresOf(settings, choice) : undefined;
  const changes: StoragePlan['changes'] = {
    STORAGE_TYPE: type,
    ...redis?.changes,
    ...postgres?.changes,
  };
  const current = inForce(settings);
  const pinned = settings.described.flatMap(({ name, source }) => {
    const changed = changes[name as SettingName];
    if (source !== 'environment' || changed === undefined || changed === current[name]) return [];
    return [name as SettingName];
  });
  return {
    storage: {
      ...settings.storage,
      type,
      ...(redis === undefined ? {} : { redis: redis.settings }),
      ...(postgres === undefined ? {} : { postgres: postgres.settings }),
    },
    changes,
    pinned,
    secrets: [
      ...[changes.REDIS_URL, changes.POSTGRES_URL].flatMap(secretsOf),
      ...(changes.POSTGRES_PASSWORD ? [changes.POSTGRES_PASSWORD] : []),
    ],
  };
}

/** The settings as they are when the plan has been written down. */
export function adoptStorage(settings: Settings, plan: StoragePlan): Settings {
  const described = settings.described.map((one) => {
    const value = plan.changes[one.name as SettingName];
    if (value === undefined || one.source === 'environment') return one;
    if (value === null) return { ...one, value: one.defaultValue, source: 'default' as const };
    return { ...one, value: one.secret ? '••••••••' : value, source: 'file' as const };
  });
  return {
    ...settings,
    storage: plan.storage,
    described,
    secrets: [...new Set([...settings.secrets, ...plan.secrets])],
  };
}

/** The settings of the storage that the environment gives. */
export function pinnedByEnvironment(settings: Pick<Settings, 'described'>): string[] {
  const names: readonly string[] = ADDRESS_SETTINGS;
  return settings.described
    .filter(({ name, source }) => source === 'environment' && names.includes(name))
    .map(({ name }) => name);
}

/** Addresses that are set, for people to see: without passwords, and without whatever an address may carry besides. */
export function knownAddresses(settings: Pick<Settings, 'storage'>): { redis?: string; postgres?: string } {
  const { redis, postgres } = settings.storage;
  const redisAddress =
    redis.clusterNodes.length > 0 ? redis.clusterNodes.join(',') : redis.url && shownAddress(redis.url);
  const postgresAddress =
    postgres.url !== undefined
      ? shownAddress(postgres.url)
      : postgres.host && `postgres://${postgres.host}:${postgres.port ?? 5432}/${postgres.database ?? ''}`;
  return {
    ...(redisAddress === undefined ? {} : { redis: redisAddress }),
    ...(postgresAddress === undefined ? {} : { postgres: postgresAddress }),
  };
}

function shownAddress(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return '';
  const user = parsed.username === '' ? '' : `${parsed.username}@`;
  return `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}`;
}

function redisOf(settings: Settings, { type, redis = {} }: StorageChoice) {
  const current = settings.storage.redis;
  const { url, clusterNodes, password } = redis;
  if (clusterNodes !== undefined) {
    const nodes = checked('REDIS_CLUSTER_NODES', 'redis.clusterNodes', clusterNodes) as string[];
    // Of a cluster the address only gives user, password and TLS: any of its nodes will do for it.
    const base = url ?? (password === undefined ? undefined : `redis://${nodes[0]}`);
    const address = base && withPassword('REDIS_URL', 'redis.url', base, password);
    return {
      settings: { ...(address === undefined ? {} : { url: address }), clusterNodes: nodes },
      changes: { REDIS_CLUSTER_NODES: nodes.join(','), REDIS_URL: address ?? null },
    };
  }
  if (url !== undefined) {
    const address = withPassword('REDIS_URL', 'redis.url', url, password);
    return {
      settings: { url: address, clusterNodes: [] },
      changes: {
        REDIS_URL: address,
        ...(current.clusterNodes.length > 0 ? { REDIS_CLUSTER_NODES: null } : {}),
      },
    };
  }
  if (current.url === undefined && current.clusterNodes.length === 0) throw missing(type, 'redis');
  if (password === undefined) return { settings: current, changes: {} };
  const address = withPassword(
    'REDIS_URL',
    'redis.url',
    current.url ?? `redis://${current.clusterNodes[0]}`,
    password,
  );
  return { settings: { ...current, url: address }, changes: { REDIS_URL: address } };
}

function postgresOf(settings: Settings, { type, postgres = {} }: StorageChoice) {
  const { readUrl, ...current } = settings.storage.postgres;
  const { url, password } = postgres;
  if (url !== undefined) {
    const address = withPassword('POSTGRES_URL', 'postgres.url', url, password);
    // A replica of the server before is no replica of this one.
    if (address !== current.url) {
      return {
        settings: { ...current, url: address },
        changes: { POSTGRES_URL: address, ...(readUrl === undefined ? {} : { POSTGRES_READ_URL: null }) },
      };
    }
    return { settings: settings.storage.postgres, changes: {} };
  }
  if (current.url === undefined && current.host === undefined) throw missing(type, 'postgres');
  if (password === undefined) return { settings: settings.storage.postgres, changes: {} };
  if (current.url === undefined) {
    return {
      settings: { ...settings.storage.postgres, password },
      changes: { POSTGRES_PASSWORD: password },
    };
  }
  const address = withPassword('POSTGRES_URL', 'postgres.url', current.url, password);
  return { settings: { ...settings.storage.postgres, url: address }, changes: { POSTGRES_URL: address } };
}

function withPassword(name: SettingName, field: string, text: string, password: string | undefined): string {
  checked(name, field, text);
  if (password === undefined) return text;
  const url = new URL(text);
  // The setter takes a “%” for the beginning of what is encoded already.
  url.password = encodeURIComponent(password);
  return url.href;
}

/** What the schema of the setting makes of the text. The text is not told again: it may hold a password. */
function checked(name: SettingName, field: string, text: string): unknown {
  const { schema, allowed } = definitionOf(name);
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw invalid(field, `must be ${allowed}`);
}

function missing(type: string, field: 'redis' | 'postgres'): Error {
  const name = field === 'redis' ? 'Redis' : 'PostgreSQL';
  return invalid(`${field}.url`, `is needed for ${type}: no address of ${name} is set yet`);
}

function invalid(path: string, message: string): Error {
  return fault('request.invalid', `${path} ${message}.`, { issues: [{ path, message }] });
}

/** The values in force of the settings that a plan may change. */
function inForce({ storage }: Settings): Partial<Record<string, string | null>> {
  const { redis, postgres } = storage;
  return {
    STORAGE_TYPE: storage.type,
    REDIS_URL: redis.url ?? null,
    REDIS_CLUSTER_NODES: redis.clusterNodes.length === 0 ? null : redis.clusterNodes.join(','),
    POSTGRES_URL: postgres.url ?? null,
    POSTGRES_READ_URL: postgres.readUrl ?? null,
    POSTGRES_PASSWORD: postgres.password ?? null,
  };
}

function secretsOf(url: string | null | undefined): string[] {
  const password = URL.parse(url ?? '')?.password ?? '';
  if (password === '') return [];
  try {
    return [...new Set([String(url), password, decodeURIComponent(password)])];
  } catch {
    return [String(url), password];
  }
}
