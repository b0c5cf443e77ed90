import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startRedis } from '../testing/servers/redis-server.ts';
import { HotLink } from './hot-link.ts';
import { HotRedis } from './hot-redis.ts';

/** Between two calls that get no answer. */
const BETWEEN_MS = 5;

describeWithServers(['redis'], 'the connection to the hot copies', () => {
  it('is trusted again also when a call over the one before is given up behind the renewal', async () => {
    await using server = await startRedis();
    const sockets: Socket[] = [];
    const stranded: Socket[] = [];
    const way = createServer({ allowHalfOpen: true }, (client) => {
      const onward = connect(server.port, '127.0.0.1');
      sockets.push(client, onward);
      for (const socket of [client, onward]) socket.on('error', () => undefined);
      client.pipe(onward).pipe(client);
    });
    await once(way.listen(0, '127.0.0.1'), 'listening');
    const { port } = way.address() as AddressInfo;
    const redis = new HotRedis({ url: server.url.replace(`:${server.port}`, `:${port}`), clusterNodes: [] });
    const link = new HotLink(redis, 'test', 120_000);
    const lost: boolean[] = [];
    const ask = () =>
      link.call([['PING']]).catch(() => {
        lost.push(link.trusted);
        link.distrust();
      });
    try {
      await redis.open({ onReady: () => void link.renew(), onLost: () => link.distrust() });
      await expect.poll(() => link.trusted).toBe(true);
      // Until a connection was quicker to come back than the last call over the one before was given up.
      while (!lost.includes(true)) {
        await expect.poll(() => link.trusted).toBe(true);
        // As when a router has forgotten the connections there are, and takes new ones.
        for (const socket of sockets.splice(0)) {
          socket.unpipe().pause();
          stranded.push(socket);
        }
        const calls: Promise<unknown>[] = [];
        for (; link.trusted; await wait(BETWEEN_MS)) calls.push(ask());
        await Promise.all(calls);
      }
      await expect.poll(() => link.trusted).toBe(true);
    } finally {
      await redis.close();
      await link.leave({ lapse: true });
      for (const socket of [...sockets, ...stranded]) socket.destroy();
      way.close();
    }
  });
});
