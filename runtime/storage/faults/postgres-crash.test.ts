import { settingsFor } from '../postgres/testing/schema.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startPostgres } from '../testing/servers/postgres-server.ts';
import { describeServerCrashes } from './server-crash.contract.ts';

describeWithServers(['postgres'], 'PostgreSQL', () => {
  describeServerCrashes('postgres', async () => {
    const server = await startPostgres();
    return { server, rig: { type: 'postgres', settings: { postgres: settingsFor(server.url) } } };
  });
});
