/** The settings as the runtime uses them: resolved, validated, typed. The schema behind it is `settings-schema.ts`. */
import type { Setting } from '../contract/index.ts';

export interface RedisSettings {
  /** `redis://` or `rediss://`; of a cluster it gives user, password and TLS, and may be left out. */
  url?: string;
  /** `host:port` of some nodes of a cluster; empty for a single server. */
  clusterNodes: string[];
}

/** Times are in ms, 0 for none. */
export interface PostgresSettings {
  /** Wins over host, port, database, user and password. */
  url?: string;
  /** A read replica. */
  readUrl?: string;
  host?: string;
  port?: number;
  database?: string;
  user?: string;
  password?: string;
  poolMax: number;
  poolMin: number;
  idleTimeoutMs: number;
  connectionTimeoutMs: number;
  maxLifetimeMs: number;
  statementTimeoutMs: number;
  queryTimeoutMs: number;
}

export interface StorageSettings {
  type: 'sqlite' | 'file' | 'redis' | 'postgres' | 'hybrid' | 'memory';
  redis: RedisSettings;
  postgres: PostgresSettings;
  /** Hours after which an idle session leaves Redis. */
  hybridHotHours: number;
}

export interface Settings {
  environment: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  appPort: number;
  healthPort: number;
  bindAddress: string;
  /** Absolute. */
  dataDir: string;
  openaiApiKey?: string;
  anthropicApiKey?: string;
  geminiApiKey?: string;
  openaiBaseUrl?: string;
  storage: StorageSettings;
  sessionTtlSeconds: number;
  sessionExpirationDays: number;
  sessionCleanupIntervalSeconds: number;
  maxConcurrentSessions: number;
  maxSessionSizeBytes: number;
  sessionIdLength: number;
  heartbeatIntervalMs: number;
  livenessProbeTimeoutMs: number;
  agentHealthCheckIntervalSeconds: number;
  agentHeartbeatTimeoutSeconds: number;
  agentStateMessageHistory: number;
  agentStateMaxSizeMb: number;
  eventRetentionHours: number;
  eventRegistryMaxSize: number;
  retryMaxAttempts: number;
  retryBaseDelayMs: number;
  retryMaxDelayMs: number;
  backupIntervalMs: number;
  backupRetentionMs: number;
  metricsEnabled: boolean;
  metricsIntervalMs: number;
  structuredLogging: boolean;
  auditLogEnabled: boolean;
  enableCors: boolean;
  enableCompression: boolean;
  sanitizeErrorMessages: boolean;
  trustedProxies: string[];
  rateLimitEnabled: boolean;
  rateLimitWindowMs: number;
  rateLimitMaxRequests: number;
  apiToken?: string;
  auth: 'token' | 'none';
  /** Every setting with its value (secrets as dots) and where it comes from, for the Settings page and the log. */
  described: Setting[];
  /** The values of all secrets that are set, for redaction. */
  secrets: string[];
}
