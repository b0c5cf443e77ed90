/**
 * Every setting of the product: one entry an environment variable (SPEC §3). What is read, what is allowed, what is shown
 * on the Settings page and what the documentation lists all come from here.
 */
import {
  addressList,
  bindAddress,
  hostPortList,
  oneOf,
  onOff,
  port,
  type SettingKind,
  secretText,
  text,
  url,
  whole,
} from './setting-kinds.ts';

export interface SettingDefinition<T> extends SettingKind<T> {
  group: string;
  description: string;
  /** As it would be written in the environment. */
  defaultValue?: string;
  /** Never shown, neither on a page nor in a message. */
  secret?: boolean;
  /** Other names under which it is found; the name of the entry wins. */
  aliases?: readonly string[];
}

type Details = Omit<
  SettingDefinition<unknown>,
  'schema' | 'allowed' | 'group' | 'description' | 'defaultValue'
>;

/** A group of settings: gives a function for those that have a default and one for those that may be unset. */
function group(name: string) {
  return {
    withDefault: <T>(
      description: string,
      kind: SettingKind<T>,
      defaultValue: string,
      details: Details = {},
    ) => ({
      ...kind,
      ...details,
      group: name,
      description,
      defaultValue,
    }),
    optional: <T>(description: string, kind: SettingKind<T>, details: Details = {}) => ({
      ...kind,
      ...details,
      group: name,
      description,
    }),
  };
}

/** Timers of Node.js overflow above this many milliseconds (a signed 32-bit number), and then fire at once. */
const LONGEST_TIMER_MS = 2_147_483_647;
const YEAR_MS = 31_536_000_000;
const DAY_MS = 86_400_000;

const application = group('application');
const providers = group('model providers');
const storage = group('storage');
const sessions = group('sessions');
const agentHealth = group('agent health');
const agentState = group('agent state');
const eventBus = group('event bus');
const retries = group('retries');
const backup = group('backup');
const alerts = group('alerts');
const observability = group('observability');
const http = group('HTTP');

const secret = { secret: true } as const;
const host = text('a host name or an IP address', /^[A-Za-z0-9._:-]{1,253}$/);
const name = text('a name of letters, digits, dots, underscores and dashes', /^[A-Za-z0-9._-]{1,128}$/);
const postgresTimeout = whole({ from: 0, to: DAY_MS, unit: 'ms, 0 for none' });

export const SETTINGS = {
  NODE_ENV: application.withDefault(
    'The environment that this runs in, shown and logged',
    text('a word of lower-case letters, digits and dashes, such as production', /^[a-z][a-z0-9-]{0,31}$/),
    'development',
  ),
  LOG_LEVEL: application.withDefault(
    'The least severe log lines that are written',
    oneOf('debug', 'info', 'warn', 'error'),
    'info',
  ),
  APP_PORT: application.withDefault('Port of the console and the API, headless', port, '3000', {
    aliases: ['PORT'],
  }),
  HEALTH_PORT: application.withDefault('Port of the health checks and metrics', port, '3001'),
  BIND_ADDRESS: application.withDefault(
    'Address that the ports are opened on; any but a loopback address is reachable by others',
    bindAddress,
    '127.0.0.1',
  ),
  DATA_DIR: application.withDefault(
    'Folder of the data, the backups and the token',
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a path may hold anything but control characters
    text('the path of a folder', /^[^\x00-\x1f\x7f]{1,4096}$/),
    './data',
    { aliases: ['STORAGE_PATH'] },
  ),

  OPENAI_API_KEY: providers.optional('API key for OpenAI and compatible servers', secretText, secret),
  ANTHROPIC_API_KEY: providers.optional('API key for Anthropic', secretText, secret),
  GEMINI_API_KEY: providers.optional('API key for Google Gemini', secretText, secret),
  OPENAI_BASE_URL: providers.optional(
    'Address of a server that speaks the OpenAI API, such as Ollama or llama.cpp',
    url('http', 'https'),
  ),

  STORAGE_TYPE: storage.withDefault(
    'Where the data is kept',
    oneOf('sqlite', 'file', 'redis', 'postgres', 'hybrid', 'memory'),
    'sqlite',
  ),
  REDIS_URL: storage.optional('Address of the Redis server', url('redis', 'rediss'), secret),
  REDIS_CLUSTER_NODES: storage.optional('Nodes of a Redis cluster', hostPortList),
  POSTGRES_URL: storage.optional('Address of the PostgreSQL server', url('postgres', 'postgresql'), secret),
  POSTGRES_READ_URL: storage.optional(
    'Address of a read replica of it, which then serves lists and snapshots',
    url('postgres', 'postgresql'),
    secret,
  ),
  PGHOST: storage.optional('Host of the PostgreSQL server, when POSTGRES_URL is not set', host),
  PGPORT: storage.optional('Port of the PostgreSQL server', whole({ from: 1, to: 65_535 })),
  PGDATABASE: storage.optional('Database on the PostgreSQL server', name),
  PGUSER: storage.optional('User on the PostgreSQL server', name),
  POSTGRES_PASSWORD: storage.optional('Password of the PostgreSQL user', secretText, secret),
  PGPOOL_MAX: storage.withDefault('Most connections to PostgreSQL', whole({ from: 1, to: 1000 }), '20'),
  PGPOOL_MIN: storage.withDefault('Connections to PostgreSQL kept open', whole({ from: 0, to: 1000 }), '5'),
  PGIDLE_TIMEOUT: storage.withDefault(
    'Time after which an idle connection is closed, in ms',
    postgresTimeout,
    '30000',
  ),
  PGCONNECTION_TIMEOUT: storage.withDefault('Time to wait for a connection, in ms', postgresTimeout, '2000'),
  PGMAX_LIFETIME: storage.withDefault(
    'Time after which a connection is replaced, in ms',
    postgresTimeout,
    '60000',
  ),
  PGSTATEMENT_TIMEOUT: storage.withDefault(
    'Time after which the server ends a statement, in ms',
    postgresTimeout,
    '30000',
  ),
  PGQUERY_TIMEOUT: storage.withDefault(
    'Time after which the client gives up a query, in ms',
    postgresTimeout,
    '30000',
  ),
  HYBRID_HOT_HOURS: storage.withDefault(
    'Hours after which an idle session moves from Redis to PostgreSQL',
    whole({ from: 1, to: 8760, unit: 'h' }),
    '24',
  ),

  SESSION_TTL: sessions.withDefault(
    'Idle time after which a session is inactive, in s',
    whole({ from: 1, to: 31_536_000, unit: 's' }),
    '3600',
  ),
  SESSION_EXPIRATION_DAYS: sessions.withDefault(
    'Idle time after which a session is expired, in days',
    whole({ from: 1, to: 3650, unit: 'days' }),
    '7',
  ),
  SESSION_CLEANUP_INTERVAL: sessions.withDefault(
    'How often sessions are looked through for those two, in s',
    whole({ from: 1, to: 86_400, unit: 's' }),
    '300',
  ),
  MAX_CONCURRENT_SESSIONS: sessions.withDefault(
    'Most sessions that may be active at once',
    whole({ from: 1, to: 100_000 }),
    '100',
  ),
  MAX_SESSION_SIZE: sessions.withDefault(
    'Most bytes that the transcript of one session may have',
    whole({ from: 1024, to: 10_737_418_240, unit: 'bytes' }),
    '104857600',
  ),
  SESSION_ID_LENGTH: sessions.withDefault(
    'Characters of a new session id; each holds 5 random bits',
    whole({ from: 16, to: 128, unit: 'characters' }),
    '32',
  ),

  HEARTBEAT_INTERVAL_MS: agentHealth.withDefault(
    'How often an agent is asked whether it is alive, in ms',
    whole({ from: 100, to: 600_000, unit: 'ms' }),
    '2000',
  ),
  LIVENESS_PROBE_TIMEOUT_MS: agentHealth.withDefault(
    'Time to wait for the answer, in ms',
    whole({ from: 100, to: 600_000, unit: 'ms' }),
    '5000',
  ),
  AGENT_HEALTH_CHECK_INTERVAL: agentHealth.withDefault(
    'How often the health of all agents is recorded, in s',
    whole({ from: 1, to: 86_400, unit: 's' }),
    '30',
  ),
  AGENT_HEARTBEAT_TIMEOUT: agentHealth.withDefault(
    'Silence after which an agent process is ended and restarted, in s',
    whole({ from: 1, to: 86_400, unit: 's' }),
    '90',
  ),

  AGENT_STATE_MESSAGE_HISTORY: agentState.withDefault(
    'Turns that a restarted agent is told again',
    whole({ from: 0, to: 1000, unit: 'turns' }),
    '10',
  ),
  AGENT_STATE_MAX_SIZE_MB: agentState.withDefault(
    'Most megabytes of those turns',
    whole({ from: 1, to: 1024, unit: 'MB' }),
    '10',
  ),

  EVENT_RETENTION_HOURS: eventBus.withDefault(
    'Hours that events are kept',
    whole({ from: 1, to: 87_600, unit: 'h' }),
    '24',
  ),
  EVENT_REGISTRY_MAX_SIZE: eventBus.withDefault(
    'Events kept ready in memory',
    whole({ from: 100, to: 1_000_000, unit: 'events' }),
    '10000',
  ),

  ERROR_RETRY_MAX_ATTEMPTS: retries.withDefault(
    'Attempts at what may succeed the next time',
    whole({ from: 1, to: 100 }),
    '3',
  ),
  ERROR_RETRY_BASE_DELAY: retries.withDefault(
    'Wait before the second attempt, in ms; doubles with each',
    whole({ from: 1, to: 3_600_000, unit: 'ms' }),
    '100',
  ),
  ERROR_RETRY_MAX_DELAY: retries.withDefault(
    'Longest wait between two attempts, in ms',
    whole({ from: 1, to: 3_600_000, unit: 'ms' }),
    '10000',
  ),

  BACKUP_INTERVAL: backup.withDefault(
    'Time between two scheduled backups, in ms',
    whole({ from: 1000, to: LONGEST_TIMER_MS, unit: 'ms' }),
    '3600000',
  ),
  BACKUP_RETENTION: backup.withDefault(
    'Age at which a scheduled backup is deleted, in ms',
    whole({ from: 60_000, to: 10 * YEAR_MS, unit: 'ms' }),
    '604800000',
  ),

  ALERT_EMAIL_TO: alerts.optional(
    'Who is mailed when an alert fires',
    text('mail addresses, separated by commas', /^[^\s@,]+@[^\s@,]+(\s*,\s*[^\s@,]+@[^\s@,]+)*$/),
  ),
  SMTP_HOST: alerts.optional('Mail server', host),
  SMTP_PORT: alerts.withDefault('Port of the mail server', whole({ from: 1, to: 65_535 }), '587'),
  SMTP_USER: alerts.optional('User on the mail server', text('a user name', /^\S{1,320}$/)),
  SMTP_PASS: alerts.optional('Password on the mail server', secretText, secret),
  ALERT_SLACK_WEBHOOK: alerts.optional('Slack webhook that is told of alerts', url('https'), secret),
  ALERT_PAGERDUTY_KEY: alerts.optional('PagerDuty key that alerts are sent with', secretText, secret),

  METRICS_ENABLED: observability.withDefault('Whether metrics are collected and served', onOff, 'true'),
  METRICS_INTERVAL: observability.withDefault(
    'How often gauges that cost something are brought up to date, in ms',
    whole({ from: 1000, to: DAY_MS, unit: 'ms' }),
    '60000',
  ),
  STRUCTURED_LOGGING: observability.withDefault('Log lines as JSON; otherwise as text', onOff, 'true'),
  AUDIT_LOG_ENABLED: observability.withDefault('Whether who did what is recorded', onOff, 'true'),

  ENABLE_CORS: http.withDefault(
    'Lets web pages served from this machine call the API with a token',
    onOff,
    'false',
  ),
  ENABLE_COMPRESSION: http.withDefault('Compresses what is sent', onOff, 'true'),
  SANITIZE_ERROR_MESSAGES: http.withDefault(
    'Keeps the text of unexpected errors out of answers',
    onOff,
    'true',
  ),
  TRUSTED_PROXIES: http.withDefault('Proxies whose X-Forwarded headers are believed', addressList, 'none'),
  RATE_LIMIT_ENABLED: http.withDefault('Limits the requests of each remote client', onOff, 'true'),
  RATE_LIMIT_WINDOW_MS: http.withDefault(
    'Window in which requests are counted, in ms',
    whole({ from: 1000, to: DAY_MS, unit: 'ms' }),
    '60000',
  ),
  RATE_LIMIT_MAX_REQUESTS: http.withDefault(
    'Most requests of one client in a window',
    whole({ from: 1, to: 1_000_000 }),
    '100',
  ),
  API_TOKEN: http.optional(
    'Token that callers need; without it one is made and kept in the data folder',
    // What a cookie, a header and a URL can all carry as it is.
    text('16 to 256 letters, digits, dots, dashes, underscores and tildes', /^[A-Za-z0-9._~-]{16,256}$/),
    secret,
  ),
  AUTH: http.withDefault(
    'Whether callers need the token; none only on a loopback address',
    oneOf('token', 'none'),
    'token',
  ),
} as const satisfies Record<string, SettingDefinition<unknown>>;

export type SettingName = keyof typeof SETTINGS;

type Parsed<D> = D extends SettingKind<infer T> ? T : never;

/** The value of each setting; undefined only where there is no default. */
export type SettingValues = {
  [N in SettingName]: (typeof SETTINGS)[N] extends { defaultValue: string }
    ? Parsed<(typeof SETTINGS)[N]>
    : Parsed<(typeof SETTINGS)[N]> | undefined;
};

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** The definition of a setting without the types of its value. */
export function definitionOf(settingName: SettingName): SettingDefinition<unknown> {
  return SETTINGS[settingName];
}
