import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startRedis } from '../testing/servers/redis-server.ts';
import { describeServerCrashes } from './server-crash.contract.ts';

describeWithServers(['redis'], 'Redis', () => {
  describeServerCrashes('redis', async () => {
    const server = await startRedis({ appendfsync: 'always' });
    return { server, rig: { type: 'redis', settings: { redis: { url: server.url, clusterNodes: [] } } } };
  });
});
