import { oc } from '@orpc/contract';
import * as z from 'zod';
import { timestamp } from './common.ts';
import { storageOutage } from './storage-outage.ts';

export const healthStatus = z.enum(['healthy', 'degraded', 'unhealthy']);
export type HealthStatus = z.infer<typeof healthStatus>;

const component = <T extends z.ZodRawShape>(details: T) =>
  z.object({ status: healthStatus, message: z.string().optional(), details: z.object(details) });

/** The answer of `GET /health`; the names are those of SPEC §4. */
export const health = z.object({
  status: healthStatus,
  timestamp: z.string(),
  uptime: z.number().describe('seconds'),
  components: z.object({
    storage: component({
      totalSessions: z.int(),
      sizeBytes: z.int(),
      backendType: z.string(),
    }),
    eventBus: component({
      totalEventsPublished: z.int(),
      totalEventsDelivered: z.int(),
      activeSubscriptions: z.int(),
      avgPropagationLatencyMs: z.number(),
    }),
    agentMonitor: component({
      totalAgents: z.int(),
      healthyAgents: z.int(),
      disconnectedAgents: z.int(),
      recoveringAgents: z.int(),
      successfulRecoveries: z.int(),
    }),
    sessions: component({ activeSessions: z.int(), maxConcurrentSessions: z.int(), runningTurns: z.int() }),
  }),
});
export type Health = z.infer<typeof health>;

/** One sample of the figures that the Overview draws. */
export const sample = z.object({
  at: timestamp,
  eventsPerSecond: z.number(),
  propagationP95Ms: z.number(),
  storageP95Ms: z.number(),
  memoryBytes: z.number(),
  activeSessions: z.number(),
});
export type Sample = z.infer<typeof sample>;

export const about = z.object({
  name: z.string(),
  version: z.string(),
  status: z.string(),
  environment: z.string(),
  timestamp: z.string(),
});

export const status = z.object({
  about: about.extend({
    mode: z.enum(['desktop', 'headless']),
    startedAt: timestamp,
    dataDir: z.string(),
    pid: z.int(),
    warnings: z
      .array(z.object({ code: z.string(), message: z.string() }))
      .describe('such as a health port that was taken'),
  }),
  health,
  storage: storageOutage,
  providers: z.array(z.object({ name: z.string(), setting: z.string(), configured: z.boolean() })),
});
export type Status = z.infer<typeof status>;

export const setting = z.object({
  name: z.string(),
  group: z.string(),
  description: z.string(),
  value: z.string().describe('as it is in force; a secret is shown as dots'),
  defaultValue: z.string(),
  source: z.enum(['default', 'environment', 'file']),
  secret: z.boolean(),
});
export type Setting = z.infer<typeof setting>;

export const statusRoutes = {
  get: oc
    .route({
      method: 'GET',
      path: '/status',
      tags: ['status'],
      summary: 'What the console shows in its frame',
    })
    .output(status),
  samples: oc
    .route({
      method: 'GET',
      path: '/status/samples',
      tags: ['status'],
      summary: 'Figures over time, a sample every 5 s',
    })
    .input(z.object({ minutes: z.coerce.number().int().min(1).max(1440).default(15) }))
    .output(z.object({ items: z.array(sample) })),
};

export const settingRoutes = {
  list: oc
    .route({
      method: 'GET',
      path: '/settings',
      tags: ['settings'],
      summary: 'All settings and where each comes from',
    })
    .output(z.object({ items: z.array(setting) })),
};
