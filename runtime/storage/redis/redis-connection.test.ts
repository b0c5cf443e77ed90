import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startRedis } from '../testing/servers/redis-server.ts';
import { RedisConnection } from './redis-connection.ts';

/** Passes everything on to a Redis, but says so many times that it is still reading its data. */
async function startLoading(port: number) {
  let left = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        server.destroy();
        sockets.delete(socket);
      });
    }
    client.pipe(server);
    server.on('data', (bytes) => {
      const said = bytes.toString('latin1');
      const isAsked = left > 0 && said.includes('\nloading:0');
      if (isAsked) left -= 1;
      client.write(isAsked ? said.replace('\nloading:0', '\nloading:1') : said, 'latin1');
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    left: () => left,
    /** Cuts all connections; those that come then are told `times` that it is loading. */
    restart(times: number) {
      left = times;
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

describeWithServers(['redis'], 'the connection to a Redis', () => {
  it('does not wait for long between two looks at a server that reads its data', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const proxy = await startLoading(server.port);
    onTestFinished(() => proxy.close());
    const settings = { url: `redis://127.0.0.1:${proxy.port}`, clusterNodes: [] };
    const connection = new RedisConnection(settings, { commandTimeoutMs: 2_000 });
    onTestFinished(() => connection.close());
    await connection.open();
    // The client by itself would look once a second.
    proxy.restart(20);
    await expect.poll(() => connection.ready).toBe(false);
    expect(await connection.untilReady(12_000)).toBe(true);
    expect(proxy.left()).toBe(0);
  }, 30_000);
});
