/** The wire: every route of `/api`, with what goes in and out. Both sides are typed by it; OpenAPI comes out of it. */
import { agentRoutes } from './agents.ts';
import { backupRoutes } from './backups.ts';
import { budgetRoutes } from './budgets.ts';
import { eventRoutes } from './events.ts';
import { jobRoutes } from './jobs.ts';
import { needsYouRoutes } from './needs-you.ts';
import { secretRoutes } from './secrets.ts';
import { sessionRoutes } from './sessions.ts';
import { settingRoutes, statusRoutes } from './status.ts';
import { storageRoutes } from './storage.ts';
import { storageConflictRoutes } from './storage-outage.ts';

export const contract = {
  sessions: sessionRoutes,
  agents: agentRoutes,
  needsYou: needsYouRoutes,
  budgets: budgetRoutes,
  secrets: secretRoutes,
  events: eventRoutes,
  backups: backupRoutes,
  jobs: jobRoutes,
  status: statusRoutes,
  settings: settingRoutes,
  storage: storageRoutes,
  storageConflicts: storageConflictRoutes,
};

export * from './agents.ts';
export * from './backups.ts';
export * from './budgets.ts';
export { MAX_SEARCH_LENGTH } from './common.ts';
export * from './error-codes.ts';
export * from './events.ts';
export * from './jobs.ts';
export * from './live.ts';
export * from './needs-you.ts';
export * from './secrets.ts';
export * from './sessions.ts';
export * from './status.ts';
export * from './storage.ts';
export * from './storage-outage.ts';
export * from './tool-calls.ts';
