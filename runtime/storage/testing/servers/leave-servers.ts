/** Starts servers, hangs two of them, says what there is, and waits to be killed: for the test of the watchdog. */
import { startPostgres } from './postgres-server.ts';
import { startRedis } from './redis-server.ts';

const servers = await Promise.all([startRedis(), startRedis(), startPostgres(), startPostgres()]);
const pids = servers.map(({ pid }) => pid);
const folders = servers.map(({ folder }) => folder);
for (const server of [servers[1], servers[3]]) server?.pause();
process.stdout.write(`${JSON.stringify({ pids, folders })}\n`);
setInterval(() => undefined, 1_000);
