import { resolve } from 'node:path';
import { fault, type Setting } from '../contract/index.ts';
import { isLoopback } from './loopback.ts';
import { nearestName } from './nearest-name.ts';
import { createRedactor } from './redact.ts';
import type { Settings, StorageSettings } from './settings.ts';
import { definitionOf, SETTING_NAMES, type SettingName, type SettingValues } from './settings-schema.ts';

/** What is wrong with one setting. */
export interface SettingFault {
  variable: string;
  /** What was found; dots for a secret. */
  got: string;
  allowed: string;
  /** The known name that an unknown one is nearest to. */
  nearest?: string;
  /** All of it as one sentence. */
  message: string;
}

export interface SettingSources {
  /** The environment, such as `process.env`. */
  env: Readonly<Record<string, string | undefined>>;
  /** The content of `settings.json` of the data folder. The environment wins over it. */
  file?: Readonly<Record<string, unknown>>;
  /** Where the data lies when nobody says; default `./data`. */
  defaults?: { dataDir: string };
}

type Source = Setting['source'];
interface Found {
  /** The name that it was found under. */
  as: string;
  text: string;
  source: Source;
}

const DOTS = '••••••••';
const ALL_NAMES = SETTING_NAMES.flatMap((name) => [name, ...(definitionOf(name).aliases ?? [])]);
/** Our settings have no prefix, but whoever is used to one would write this. */
const PRODUCT_PREFIX = /^SMALLTALK_(?:CONSOLE_)?/i;
/** The folder cannot be chosen by a file that lies in it. */
const NOT_IN_FILE: readonly string[] = ['DATA_DIR', 'STORAGE_PATH'];

/**
 * Resolves every setting: environment, then file, then default. Throws `settings.invalid` with `data.faults`
 * ({@link SettingFault}), which names all faults at once. An empty text counts as unset.
 */
export function loadSettings(sources: SettingSources): Settings {
  const faults = [...unknownNames(sources)];
  const values: Record<string, unknown> = {};
  const described: Setting[] = [];
  const secrets: string[] = [];

  for (const name of SETTING_NAMES) {
    const definition = definitionOf(name);
    const defaultValue = name === 'DATA_DIR' ? sources.defaults?.dataDir : undefined;
    const fallback = defaultValue ?? definition.defaultValue;
    const found = find(name, sources, faults);
    const text = found?.text ?? fallback;
    if (found !== undefined) {
      if (definition.secret === true) secrets.push(found.text);
      secrets.push(...urlPasswords(found.text));
    }
    if (text !== undefined) {
      const parsed = definition.schema.safeParse(text);
      if (parsed.success) values[name] = parsed.data;
      else faults.push(badValue(found?.as ?? name, text, definition.secret === true, definition.allowed));
    }
    described.push({
      name,
      group: definition.group,
      description: definition.description,
      value: definition.secret === true ? (text === undefined ? '' : DOTS) : shown(text ?? ''),
      defaultValue: fallback ?? '',
      source: found?.source ?? 'default',
      secret: definition.secret === true,
    });
  }

  faults.push(...combinations(values as Partial<SettingValues>));
  if (faults.length > 0) throw invalid(faults);
  return toSettings(values as SettingValues, described, secrets);
}

/** The absolute path of the data folder: needed before `settings.json`, which lies in it, can be read. */
export function dataDirOf(sources: Pick<SettingSources, 'env' | 'defaults'>): string {
  const given = sources.env.DATA_DIR?.trim() || sources.env.STORAGE_PATH?.trim();
  return resolve(given || sources.defaults?.dataDir || definitionOf('DATA_DIR').defaultValue || '.');
}

function find(name: SettingName, sources: SettingSources, faults: SettingFault[]): Found | undefined {
  for (const as of [name, ...(definitionOf(name).aliases ?? [])]) {
    const text = sources.env[as]?.trim();
    if (text !== undefined && text !== '') return { as, text, source: 'environment' };
  }
  for (const as of [name, ...(definitionOf(name).aliases ?? [])]) {
    const value = sources.file?.[as];
    if (value === undefined || value === null || NOT_IN_FILE.includes(as)) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      const { allowed, secret } = definitionOf(name);
      faults.push(badValue(as, JSON.stringify(value), secret === true, allowed));
      continue;
    }
    const text = String(value).trim();
    if (text !== '') return { as, text, source: 'file' };
  }
  return undefined;
}

function* unknownNames(sources: SettingSources): Generator<SettingFault> {
  for (const [name, value] of Object.entries(sources.env)) {
    if (value === undefined || value.trim() === '' || ALL_NAMES.includes(name)) continue;
    const nearest = misspelt(name.replace(PRODUCT_PREFIX, ''));
    if (nearest !== undefined) yield unknown(name, 'environment variable', nearest);
  }
  for (const name of Object.keys(sources.file ?? {})) {
    if (NOT_IN_FILE.includes(name)) {
      const allowed = 'set in the environment only, because the file lies in the data folder';
      yield {
        variable: name,
        got: 'a value in settings.json',
        allowed,
        message: `${name} in settings.json must be ${allowed}.`,
      };
    } else if (!ALL_NAMES.includes(name)) {
      yield unknown(name, 'setting of settings.json', nearestName(name, ALL_NAMES, generous));
    }
  }
}

/**
 * The setting that a foreign environment variable was probably meant to be. Most variables are none of ours, so only a
 * slip of the finger counts: one edit, two in a long name, none in a very short one (PATH is not a misspelt PORT).
 */
function misspelt(name: string): string | undefined {
  return nearestName(name, ALL_NAMES, (candidate) =>
    candidate.length < 6 ? 0 : candidate.length < 12 ? 1 : 2,
  );
}

/** In a file that holds nothing but our settings every unknown name is a fault, so a far guess is better than none. */
const generous = (candidate: string): number => Math.floor(candidate.length / 2);

function unknown(name: string, what: string, nearest: string | undefined): SettingFault {
  return {
    variable: name,
    got: 'a name that is not known',
    allowed: 'the name of a setting',
    ...(nearest === undefined ? {} : { nearest }),
    message: `The ${what} ${name} is not known.${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`,
  };
}

function badValue(variable: string, text: string, secret: boolean, allowed: string): SettingFault {
  const got = secret ? DOTS : shown(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return { variable, got, allowed, message: `${variable} is "${got}", but must be ${allowed}.` };
}

/** Rules between settings. A setting that is itself at fault is undefined here, and then no rule applies to it. */
function* combinations(values: Partial<SettingValues>): Generator<SettingFault> {
  const rule = (variable: SettingName, got: unknown, allowed: string): SettingFault => ({
    variable,
    got: String(got),
    allowed,
    message: `${variable} is ${got === '' ? 'not set' : `"${got}"`}, but must be ${allowed}.`,
  });
  if (values.AUTH === 'none' && values.BIND_ADDRESS !== undefined && !isLoopback(values.BIND_ADDRESS)) {
    yield rule('AUTH', 'none', `token while BIND_ADDRESS is ${values.BIND_ADDRESS}, which others can reach`);
  }
  if (values.STORAGE_TYPE === 'memory' && values.NODE_ENV !== 'test') {
    yield rule(
      'STORAGE_TYPE',
      'memory',
      'sqlite, file, redis, postgres or hybrid; memory keeps nothing and is only for NODE_ENV=test',
    );
  }
  const type = values.STORAGE_TYPE;
  if (
    (type === 'redis' || type === 'hybrid') &&
    values.REDIS_URL === undefined &&
    values.REDIS_CLUSTER_NODES === undefined
  ) {
    yield rule('REDIS_URL', '', `set (or REDIS_CLUSTER_NODES) when STORAGE_TYPE is ${type}`);
  }
  if (
    (type === 'postgres' || type === 'hybrid') &&
    values.POSTGRES_URL === undefined &&
    values.PGHOST === undefined
  ) {
    yield rule('POSTGRES_URL', '', `set (or PGHOST) when STORAGE_TYPE is ${type}`);
  }
  if (values.APP_PORT !== undefined && values.APP_PORT !== 0 && values.APP_PORT === values.HEALTH_PORT) {
    yield rule('HEALTH_PORT', values.HEALTH_PORT, 'another port than APP_PORT');
  }
  if (larger(values.PGPOOL_MIN, values.PGPOOL_MAX)) {
    yield rule('PGPOOL_MIN', values.PGPOOL_MIN, `at most PGPOOL_MAX, which is ${values.PGPOOL_MAX}`);
  }
  if (larger(values.ERROR_RETRY_BASE_DELAY, values.ERROR_RETRY_MAX_DELAY)) {
    yield rule(
      'ERROR_RETRY_BASE_DELAY',
      values.ERROR_RETRY_BASE_DELAY,
      `at most ERROR_RETRY_MAX_DELAY, which is ${values.ERROR_RETRY_MAX_DELAY}`,
    );
  }
}

function larger(a: number | undefined, b: number | undefined): boolean {
  return a !== undefined && b !== undefined && a > b;
}

function invalid(faults: SettingFault[]): Error {
  const one = faults.length === 1;
  const intro = one ? 'A setting is not valid' : `${faults.length} settings are not valid`;
  const lines = faults.map(({ message }) => message);
  return fault('settings.invalid', one ? `${intro}: ${lines[0]}` : `${intro}:\n- ${lines.join('\n- ')}`, {
    faults,
  });
}

/** The password of a URL, as it is written there and as it is meant. Any address may have one, not only the secret ones. */
function urlPasswords(text: string): string[] {
  const password = URL.parse(text)?.password ?? '';
  if (password === '') return [];
  try {
    return [...new Set([password, decodeURIComponent(password)])];
  } catch {
    return [password];
  }
}

const shown = createRedactor([]);

function storageSettings(values: SettingValues): StorageSettings {
  const redis = { url: values.REDIS_URL };
  const postgres = {
    url: values.POSTGRES_URL,
    readUrl: values.POSTGRES_READ_URL,
    host: values.PGHOST,
    port: values.PGPORT,
    database: values.PGDATABASE,
    user: values.PGUSER,
    password: values.POSTGRES_PASSWORD,
  };
  return {
    type: values.STORAGE_TYPE,
    redis: { ...defined(redis), clusterNodes: values.REDIS_CLUSTER_NODES ?? [] },
    postgres: {
      ...defined(postgres),
      poolMax: values.PGPOOL_MAX,
      poolMin: values.PGPOOL_MIN,
      idleTimeoutMs: values.PGIDLE_TIMEOUT,
      connectionTimeoutMs: values.PGCONNECTION_TIMEOUT,
      maxLifetimeMs: values.PGMAX_LIFETIME,
      statementTimeoutMs: values.PGSTATEMENT_TIMEOUT,
      queryTimeoutMs: values.PGQUERY_TIMEOUT,
    },
    hybridHotHours: values.HYBRID_HOT_HOURS,
  };
}

/** Without the properties that are undefined. */
function defined<T extends object>(object: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

function toSettings(values: SettingValues, described: Setting[], secrets: string[]): Settings {
  const optional = {
    openaiApiKey: values.OPENAI_API_KEY,
    anthropicApiKey: values.ANTHROPIC_API_KEY,
    geminiApiKey: values.GEMINI_API_KEY,
    openaiBaseUrl: values.OPENAI_BASE_URL,
    apiToken: values.API_TOKEN,
  };
  return {
    ...defined(optional),
    environment: values.NODE_ENV,
    logLevel: values.LOG_LEVEL,
    appPort: values.APP_PORT,
    healthPort: values.HEALTH_PORT,
    bindAddress: values.BIND_ADDRESS,
    dataDir: resolve(values.DATA_DIR),
    storage: storageSettings(values),
    sessionTtlSeconds: values.SESSION_TTL,
    sessionExpirationDays: values.SESSION_EXPIRATION_DAYS,
    sessionCleanupIntervalSeconds: values.SESSION_CLEANUP_INTERVAL,
    maxConcurrentSessions: values.MAX_CONCURRENT_SESSIONS,
    maxSessionSizeBytes: values.MAX_SESSION_SIZE,
    sessionIdLength: values.SESSION_ID_LENGTH,
    heartbeatIntervalMs: values.HEARTBEAT_INTERVAL_MS,
    livenessProbeTimeoutMs: values.LIVENESS_PROBE_TIMEOUT_MS,
    agentHealthCheckIntervalSeconds: values.AGENT_HEALTH_CHECK_INTERVAL,
    agentHeartbeatTimeoutSeconds: values.AGENT_HEARTBEAT_TIMEOUT,
    agentStateMessageHistory: values.AGENT_STATE_MESSAGE_HISTORY,
    agentStateMaxSizeMb: values.AGENT_STATE_MAX_SIZE_MB,
    eventRetentionHours: values.EVENT_RETENTION_HOURS,
    eventRegistryMaxSize: values.EVENT_REGISTRY_MAX_SIZE,
    retryMaxAttempts: values.ERROR_RETRY_MAX_ATTEMPTS,
    retryBaseDelayMs: values.ERROR_RETRY_BASE_DELAY,
    retryMaxDelayMs: values.ERROR_RETRY_MAX_DELAY,
    backupIntervalMs: values.BACKUP_INTERVAL,
    backupRetentionMs: values.BACKUP_RETENTION,
    metricsEnabled: values.METRICS_ENABLED,
    metricsIntervalMs: values.METRICS_INTERVAL,
    structuredLogging: values.STRUCTURED_LOGGING,
    auditLogEnabled: values.AUDIT_LOG_ENABLED,
    enableCors: values.ENABLE_CORS,
    enableCompression: values.ENABLE_COMPRESSION,
    sanitizeErrorMessages: values.SANITIZE_ERROR_MESSAGES,
    trustedProxies: values.TRUSTED_PROXIES,
    rateLimitEnabled: values.RATE_LIMIT_ENABLED,
    rateLimitWindowMs: values.RATE_LIMIT_WINDOW_MS,
    rateLimitMaxRequests: values.RATE_LIMIT_MAX_REQUESTS,
    auth: values.AUTH,
    described: described.map((setting) =>
      setting.name === 'DATA_DIR' ? { ...setting, value: resolve(values.DATA_DIR) } : setting,
    ),
    secrets,
  };
}
