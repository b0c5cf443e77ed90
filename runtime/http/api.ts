import { OpenAPIHandler } from '@orpc/openapi/fetch';
import { implement } from '@orpc/server';
import type { Agents } from '../agents/agents.ts';
import type { Secrets } from '../agents/setup/secrets.ts';
import type { Backups } from '../backup/backups.ts';
import type { Moves } from '../backup/moves.ts';
import {
  contract,
  fault,
  MAX_PROMPT_BYTES,
  type Sample,
  type Setting,
  type Status,
} from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { StorageWatch } from '../events/storage-watch.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Budgets } from '../sessions/budgets/budgets.ts';
import type { NeedsYou } from '../sessions/needs-you/needs-you.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { API_PREFIX } from './route-table.ts';

/** What the API answers from. */
export interface ApiServices {
  sessions: Sessions;
  agents: Agents;
  needsYou: NeedsYou;
  budgets: Budgets;
  secrets: Secrets;
  bus: EventBus;
  backups: Backups;
  moves: Moves;
  storageWatch: Pick<StorageWatch, 'conflicts' | 'resolve'>;
  jobs: Jobs;
  status: () => Promise<Status>;
  samples: (minutes: number) => Sample[];
  settings: { described: Setting[] };
}

/** What travels with one request. */
export interface ApiContext {
  correlationId: string;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  /** Set when the handler failed: oRPC would otherwise write the error in its own words. */
  failure?: { error: unknown };
}

/**
 * The contract over the services: one line a route. Rejects with whatever a service threw, or with oRPC's own error for
 * an input that does not fit; resolves with undefined when no route of the contract matches.
 */
export function createApi(services: ApiServices) {
  const { sessions, agents, needsYou, budgets, secrets, bus, backups, moves, storageWatch, jobs } = services;
  const api = implement(contract).$context<ApiContext>();

  const router = api.router({
    sessions: {
      list: api.sessions.list.handler(({ input }) => sessions.list(input)),
      create: api.sessions.create.handler(({ input, context }) =>
        sessions.create(withinPromptLimit(input), context),
      ),
      get: api.sessions.get.handler(({ input }) => sessions.get(input.id)),
      update: api.sessions.update.handler(({ input, context }) => sessions.update(input, context)),
      prompt: api.sessions.prompt.handler(({ input, context }) =>
        sessions.prompt(withinPromptLimit(input), context),
      ),
      resend: api.sessions.resend.handler(({ input, context }) => sessions.resend(input, context)),
      setMode: api.sessions.setMode.handler(({ input, context }) => sessions.setMode(input, context)),
      setOption: api.sessions.setOption.handler(({ input, context }) => sessions.setOption(input, context)),
      cancel: api.sessions.cancel.handler(({ input, context }) => sessions.cancel(input.id, context)),
      delete: api.sessions.delete.handler(({ input, context }) => sessions.delete(input.id, context)),
    },
    agents: {
      list: api.agents.list.handler(() => ({ items: agents.list() })),
      get: api.agents.get.handler(({ input }) => agents.get(input.id)),
      create: api.agents.create.handler(({ input }) => agents.create(input)),
      createDemoFleet: api.agents.createDemoFleet.handler(async () => ({
        items: await agents.createDemoFleet(),
      })),
      update: api.agents.update.handler(({ input }) => agents.update(input)),
      test: api.agents.test.handler(({ input, context }) => agents.test(input, context.signal)),
      detect: api.agents.detect.handler(({ context }) => agents.detect(context.signal)),
      authenticate: api.agents.authenticate.handler(({ input }) =>
        agents.authenticate(input.id, input.methodId),
      ),
      delete: api.agents.delete.handler(({ input }) => agents.delete(input.id)),
      start: api.agents.start.handler(({ input }) => agents.startAgent(input.id)),
      stop: api.agents.stop.handler(({ input }) => agents.stopAgent(input.id)),
      restart: api.agents.restart.handler(({ input }) => agents.restartAgent(input.id)),
      retry: api.agents.retry.handler(({ input }) => agents.retryAgent(input.id)),
      drill: api.agents.drill.handler(({ input }) => agents.drill(input.id, input.kind)),
      frames: api.agents.frames.handler(({ input }) => ({ items: agents.frames(input.id, input.after) })),
    },
    needsYou: {
      list: api.needsYou.list.handler(({ input }) => needsYou.list(input)),
      get: api.needsYou.get.handler(({ input }) => needsYou.get(input.id)),
      answer: api.needsYou.answer.handler(({ input, context }) => needsYou.answer(input, context)),
      policies: api.needsYou.policies.handler(async ({ input }) => ({
        items: await needsYou.policies(input.agentId),
      })),
      deletePolicy: api.needsYou.deletePolicy.handler(({ input, context }) =>
        needsYou.deletePolicy(input.id, context),
      ),
    },
    budgets: {
      get: api.budgets.get.handler(() => budgets.state()),
      set: api.budgets.set.handler(({ input, context }) => budgets.set(input, context)),
    },
    secrets: {
      list: api.secrets.list.handler(() => secrets.list()),
      set: api.secrets.set.handler(({ input }) => secrets.set(input.name, input.value)),
      delete: api.secrets.delete.handler(({ input }) => secrets.delete(input.name)),
    },
    events: {
      list: api.events.list.handler(({ input }) => bus.read(input)),
      get: api.events.get.handler(({ input }) => bus.get(input.sequence)),
    },
    backups: {
      list: api.backups.list.handler(() => backups.list()),
      create: api.backups.create.handler(({ context }) => backups.create(context)),
      delete: api.backups.delete.handler(({ input }) => backups.delete(input.id)),
      preview: api.backups.preview.handler(({ input, context }) => backups.preview(input.id, context.signal)),
      restore: api.backups.restore.handler(({ input, context }) => backups.restore(input.id, context)),
      undoRestore: api.backups.undoRestore.handler(({ context }) => backups.undoRestore(context)),
    },
    jobs: {
      list: api.jobs.list.handler(async () => ({ items: await jobs.list() })),
      get: api.jobs.get.handler(({ input }) => jobs.get(input.id)),
      cancel: api.jobs.cancel.handler(({ input }) => jobs.cancel(input.id)),
    },
    status: {
      get: api.status.get.handler(() => services.status()),
      samples: api.status.samples.handler(({ input }) => ({ items: services.samples(input.minutes) })),
    },
    storage: {
      get: api.storage.get.handler(() => moves.describe()),
      test: api.storage.test.handler(({ input }) => moves.test(input)),
      move: api.storage.move.handler(({ input, context }) => moves.move(input, context)),
    },
    storageConflicts: {
      list: api.storageConflicts.list.handler(async () => ({ items: await storageWatch.conflicts() })),
      resolve: api.storageConflicts.resolve.handler(async ({ input, context }) => {
        await storageWatch.resolve(input, context);
        return { id: input.id };
      }),
    },
    settings: { list: api.settings.list.handler(() => ({ items: services.settings.described })) },
  });

  const handler = new OpenAPIHandler(router, {
    interceptors: [
      async ({ next, context }) => {
        try {
          return await next();
        } catch (error) {
          context.failure = { error };
          throw error;
        }
      },
    ],
  });

  return async (request: Request, call: Omit<ApiContext, 'failure'>): Promise<Response | undefined> => {
    const context: ApiContext = { ...call };
    const { response } = await handler.handle(request, { prefix: API_PREFIX, context });
    if (context.failure !== undefined) throw context.failure.error;
    return response;
  };
}

/** Counts bytes, which the schema, that counts UTF-16 units, cannot. */
function withinPromptLimit<T extends { message?: string | undefined }>(input: T): T {
  const bytes = Buffer.byteLength(input.message ?? '');
  if (bytes <= MAX_PROMPT_BYTES) return input;
  throw fault(
    'request.too_large',
    `The message has ${bytes} bytes; at most ${MAX_PROMPT_BYTES} are possible.`,
    { bytes, maxBytes: MAX_PROMPT_BYTES },
  );
}
