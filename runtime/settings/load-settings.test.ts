import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../base/errors.ts';
import { dataDirOf, loadSettings, type SettingFault, type SettingSources } from './load-settings.ts';
import { securityWarnings } from './security-warnings.ts';

function faultsOf(sources: SettingSources): SettingFault[] {
  try {
    loadSettings(sources);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'settings.invalid') {
      return error.data.faults as SettingFault[];
    }
    throw error;
  }
  return [];
}

const env = (variables: Record<string, string>) => ({ env: variables });

/** SPEC §3, written down a second time on purpose: names and defaults are what users rely on. */
const DOCUMENTED: Record<string, string> = {
  NODE_ENV: 'development',
  LOG_LEVEL: 'info',
  APP_PORT: '3000',
  HEALTH_PORT: '3001',
  BIND_ADDRESS: '127.0.0.1',
  DATA_DIR: './data',
  OPENAI_API_KEY: '',
  ANTHROPIC_API_KEY: '',
  GEMINI_API_KEY: '',
  OPENAI_BASE_URL: '',
  STORAGE_TYPE: 'sqlite',
  REDIS_URL: '',
  REDIS_CLUSTER_NODES: '',
  POSTGRES_URL: '',
  POSTGRES_READ_URL: '',
  PGHOST: '',
  PGPORT: '',
  PGDATABASE: '',
  PGUSER: '',
  POSTGRES_PASSWORD: '',
  PGPOOL_MAX: '20',
  PGPOOL_MIN: '5',
  PGIDLE_TIMEOUT: '30000',
  PGCONNECTION_TIMEOUT: '2000',
  PGMAX_LIFETIME: '60000',
  PGSTATEMENT_TIMEOUT: '30000',
  PGQUERY_TIMEOUT: '30000',
  HYBRID_HOT_HOURS: '24',
  SESSION_TTL: '3600',
  SESSION_EXPIRATION_DAYS: '7',
  SESSION_CLEANUP_INTERVAL: '300',
  MAX_CONCURRENT_SESSIONS: '100',
  MAX_SESSION_SIZE: '104857600',
  SESSION_ID_LENGTH: '32',
  HEARTBEAT_INTERVAL_MS: '2000',
  LIVENESS_PROBE_TIMEOUT_MS: '5000',
  AGENT_HEALTH_CHECK_INTERVAL: '30',
  AGENT_HEARTBEAT_TIMEOUT: '90',
  AGENT_STATE_MESSAGE_HISTORY: '10',
  AGENT_STATE_MAX_SIZE_MB: '10',
  EVENT_RETENTION_HOURS: '24',
  EVENT_REGISTRY_MAX_SIZE: '10000',
  ERROR_RETRY_MAX_ATTEMPTS: '3',
  ERROR_RETRY_BASE_DELAY: '100',
  ERROR_RETRY_MAX_DELAY: '10000',
  BACKUP_INTERVAL: '3600000',
  BACKUP_RETENTION: '604800000',
  ALERT_EMAIL_TO: '',
  SMTP_HOST: '',
  SMTP_PORT: '587',
  SMTP_USER: '',
  SMTP_PASS: '',
  ALERT_SLACK_WEBHOOK: '',
  ALERT_PAGERDUTY_KEY: '',
  METRICS_ENABLED: 'true',
  METRICS_INTERVAL: '60000',
  STRUCTURED_LOGGING: 'true',
  AUDIT_LOG_ENABLED: 'true',
  ENABLE_CORS: 'false',
  ENABLE_COMPRESSION: 'true',
  SANITIZE_ERROR_MESSAGES: 'true',
  TRUSTED_PROXIES: 'none',
  RATE_LIMIT_ENABLED: 'true',
  RATE_LIMIT_WINDOW_MS: '60000',
  RATE_LIMIT_MAX_REQUESTS: '100',
  API_TOKEN: '',
  AUTH: 'token',
};

describe('defaults', () => {
  it('are those of the documentation, for every documented setting and no other', () => {
    const { described } = loadSettings({ env: {} });
    expect(Object.fromEntries(described.map(({ name, defaultValue }) => [name, defaultValue]))).toEqual(
      DOCUMENTED,
    );
  });

  it('give typed values', () => {
    expect(loadSettings({ env: {} })).toMatchObject({
      appPort: 3000,
      bindAddress: '127.0.0.1',
      maxSessionSizeBytes: 104_857_600,
      metricsEnabled: true,
      enableCors: false,
      trustedProxies: [],
      auth: 'token',
      secrets: [],
    });
    expect(loadSettings({ env: {} })).not.toHaveProperty('openaiApiKey');
  });

  it('let the caller choose the data folder, and make it absolute', () => {
    expect(loadSettings({ env: {}, defaults: { dataDir: '/home/u/.config/app' } }).dataDir).toBe(
      '/home/u/.config/app',
    );
    expect(loadSettings({ env: {} }).dataDir).toBe(resolve('data'));
    expect(loadSettings(env({ STORAGE_PATH: 'elsewhere' })).dataDir).toBe(resolve('elsewhere'));
    expect(dataDirOf({ env: { DATA_DIR: 'a', STORAGE_PATH: 'b' } })).toBe(resolve('a'));
    expect(dataDirOf({ env: {}, defaults: { dataDir: join('x', 'y') } })).toBe(resolve('x/y'));
  });
});

describe('sources', () => {
  it('take the environment before the file, and the file before the default', () => {
    const settings = loadSettings({
      env: { LOG_LEVEL: 'debug' },
      file: { LOG_LEVEL: 'error', SESSION_TTL: 60, METRICS_ENABLED: false },
    });
    expect(settings).toMatchObject({ logLevel: 'debug', sessionTtlSeconds: 60, metricsEnabled: false });
    const source = (name: string) => settings.described.find((each) => each.name === name)?.source;
    expect([source('LOG_LEVEL'), source('SESSION_TTL'), source('APP_PORT')]).toEqual([
      'environment',
      'file',
      'default',
    ]);
  });

  it('know aliases, and prefer the name proper', () => {
    expect(loadSettings(env({ PORT: '8080' })).appPort).toBe(8080);
    expect(loadSettings(env({ PORT: '8080', APP_PORT: '9090' })).appPort).toBe(9090);
    expect(faultsOf(env({ PORT: 'eighty' }))[0]).toMatchObject({ variable: 'PORT', got: 'eighty' });
  });

  it('take an empty text as unset', () => {
    expect(
      loadSettings({ env: { APP_PORT: '', LOG_LEVEL: '  ' }, file: { LOG_LEVEL: 'warn' } }),
    ).toMatchObject({
      appPort: 3000,
      logLevel: 'warn',
    });
  });
});

describe('faults', () => {
  it.each([
    ['APP_PORT', '65536'],
    ['APP_PORT', '-1'],
    ['APP_PORT', '3000.5'],
    ['APP_PORT', '0x10'],
    ['APP_PORT', '1e3'],
    ['METRICS_ENABLED', 'yes'],
    ['LOG_LEVEL', 'loud'],
    ['STORAGE_TYPE', 'mysql'],
    ['STORAGE_TYPE', 'memory'],
    ['BIND_ADDRESS', 'example.com'],
    ['OPENAI_BASE_URL', 'localhost:11434'],
    ['OPENAI_BASE_URL', 'ftp://localhost/'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['REDIS_CLUSTER_NODES', 'a:1,b'],
    ['SESSION_ID_LENGTH', '8'],
    ['BACKUP_INTERVAL', '2147483648'],
    ['HEALTH_PORT', '3000'],
    ['PGPOOL_MIN', '21'],
    ['ERROR_RETRY_BASE_DELAY', '10001'],
    ['AUTH', 'basic'],
  ])('name %s=%s with what it got and what is allowed', (variable, value) => {
    const faults = faultsOf(env({ [variable]: value }));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ variable, got: value });
    expect(faults[0]?.message).toContain(`${variable} is "${value}", but must be ${faults[0]?.allowed}`);
  });

  it.each([
    ['APP_PORT', '0'],
    ['METRICS_ENABLED', '0'],
    ['METRICS_ENABLED', 'TRUE'],
    ['BIND_ADDRESS', '::1'],
    ['TRUSTED_PROXIES', '10.0.0.0/8, ::1'],
    ['REDIS_CLUSTER_NODES', 'a:1, [::1]:2'],
    ['BACKUP_INTERVAL', '2147483647'],
  ])('accept %s=%s', (variable, value) => {
    expect(faultsOf(env({ [variable]: value }))).toEqual([]);
  });

  it.each([
    ['redis', 'REDIS_URL', { REDIS_CLUSTER_NODES: 'a:1' }],
    ['redis', 'REDIS_URL', { REDIS_URL: 'redis://a' }],
    ['postgres', 'POSTGRES_URL', { PGHOST: 'a' }],
    ['postgres', 'POSTGRES_URL', { POSTGRES_URL: 'postgres://a/b' }],
    ['hybrid', 'REDIS_URL', { REDIS_URL: 'redis://a', POSTGRES_URL: 'postgres://a/b' }],
  ])('ask for the address that %s needs: %s, unless there is %o', (type, variable, enough) => {
    const faults = faultsOf(env({ STORAGE_TYPE: type }));
    expect(faults.map((one) => one.variable)).toEqual(
      type === 'hybrid' ? ['REDIS_URL', 'POSTGRES_URL'] : [variable],
    );
    expect(faults[0]?.message).toContain(`${variable} is not set, but must be set (or `);
    expect(faults[0]?.message).toContain(`when STORAGE_TYPE is ${type}`);
    expect(faultsOf(env({ STORAGE_TYPE: type, ...enough }))).toEqual([]);
  });

  it('do not ask for addresses that the storage does not need', () => {
    expect(faultsOf(env({ STORAGE_TYPE: 'file' }))).toEqual([]);
    expect(faultsOf(env({ STORAGE_TYPE: 'sqlite', REDIS_URL: 'redis://left-over' }))).toEqual([]);
  });

  it('are told all at once, each in a sentence', () => {
    expect(() => loadSettings(env({ APP_PORT: 'x', LOG_LEVEL: 'y' }))).toThrow(
      /^2 settings are not valid:\n- LOG_LEVEL is "y", .*\n- APP_PORT is "x", /s,
    );
  });

  it('never show a secret', () => {
    const secret = 'hunter2-hunter2 ü';
    const error = (() => {
      try {
        loadSettings(
          env({ API_TOKEN: secret, REDIS_URL: `http://u:${secret}@host`, SMTP_PASS: `${secret}\n!` }),
        );
      } catch (thrown) {
        return thrown as CodedError;
      }
      throw new Error('accepted');
    })();
    expect((error.data.faults as SettingFault[]).map(({ variable }) => variable)).toEqual([
      'REDIS_URL',
      'SMTP_PASS',
      'API_TOKEN',
    ]);
    expect(error.message + JSON.stringify(error.data)).not.toContain('hunter2');
  });

  it('refuse to go without authentication where others can reach it', () => {
    expect(faultsOf(env({ AUTH: 'none' }))).toEqual([]);
    expect(faultsOf(env({ AUTH: 'none', BIND_ADDRESS: '127.1.2.3' }))).toEqual([]);
    expect(faultsOf(env({ AUTH: 'none', BIND_ADDRESS: '0.0.0.0' }))[0]).toMatchObject({ variable: 'AUTH' });
  });

  it('allow memory in tests only', () => {
    expect(loadSettings(env({ STORAGE_TYPE: 'memory', NODE_ENV: 'test' })).storage.type).toBe('memory');
  });
});

describe('unknown names', () => {
  it.each([
    ['APP_PROT', 'APP_PORT'],
    ['APPPORT', 'APP_PORT'],
    ['app_port', 'APP_PORT'],
    ['MAX_CONCURENT_SESSION', 'MAX_CONCURRENT_SESSIONS'],
    ['OPENAI_APIKEY', 'OPENAI_API_KEY'],
    ['SMALLTALK_LOG_LEVEL', 'LOG_LEVEL'],
  ])('%s in the environment is told to be %s', (name, nearest) => {
    expect(faultsOf(env({ [name]: '1' }))).toMatchObject([{ variable: name, nearest }]);
  });

  it('of others in the environment are left alone', () => {
    const foreign = {
      PATH: '/bin',
      HOME: '/root',
      HOST: 'box',
      PORTS: '1',
      HTTP_PORT: '80',
      SESSION_MANAGER: 'local/box',
      PGDATA: '/var/lib/postgresql',
      PGSSLMODE: 'require',
      PGPASSWORD: 'x',
      POSTGRES_USER: 'u',
      POSTGRES_DB: 'd',
      NODE_OPTIONS: '',
      NODE_PATH: '/x',
      DATABASE_URL: 'x',
      npm_config_cache: 'x',
      XDG_DATA_DIRS: 'x',
      XAUTHORITY: 'x',
      SMALLTALK_FROBNICATE: 'x',
    };
    expect(faultsOf({ env: foreign })).toEqual([]);
  });

  it('in the file are faults, with the nearest if there is one', () => {
    expect(faultsOf({ env: {}, file: { LOG_LEVL: 'info', COLOUR: 'red' } })).toMatchObject([
      { variable: 'LOG_LEVL', nearest: 'LOG_LEVEL' },
      { variable: 'COLOUR' },
    ]);
  });

  it('in the file may not move the folder that the file lies in', () => {
    expect(faultsOf({ env: {}, file: { DATA_DIR: '/elsewhere' } })).toMatchObject([{ variable: 'DATA_DIR' }]);
  });

  it('in the file must have plain values', () => {
    expect(faultsOf({ env: {}, file: { LOG_LEVEL: ['info'] } })).toMatchObject([
      { variable: 'LOG_LEVEL', got: '["info"]' },
    ]);
  });
});

describe('what is shown', () => {
  it('has dots for a secret, and the secret is in the list for redaction', () => {
    const settings = loadSettings(
      env({
        OPENAI_API_KEY: 'sk-abc',
        REDIS_URL: 'redis://u:p%40ss@h:1',
        OPENAI_BASE_URL: 'http://me:pass1@h/v1',
      }),
    );
    const shown = (name: string) => settings.described.find((each) => each.name === name);
    expect(shown('OPENAI_API_KEY')).toMatchObject({ value: '••••••••', secret: true, source: 'environment' });
    expect(shown('ANTHROPIC_API_KEY')).toMatchObject({ value: '', secret: true });
    expect(shown('OPENAI_BASE_URL')?.value).not.toContain('pass1');
    expect(settings.secrets).toEqual(
      expect.arrayContaining(['sk-abc', 'redis://u:p%40ss@h:1', 'p%40ss', 'p@ss', 'pass1']),
    );
    expect(JSON.stringify(settings.described)).not.toContain('sk-abc');
  });

  it('warns of what is not safe', () => {
    expect(securityWarnings(loadSettings({ env: {} }))).toEqual([]);
    expect(securityWarnings(loadSettings(env({ BIND_ADDRESS: '0.0.0.0' })))).toMatchObject([
      { code: 'security.reachable_by_others' },
    ]);
    expect(securityWarnings(loadSettings(env({ AUTH: 'none', ENABLE_CORS: '1' })))).toHaveLength(2);
  });
});
