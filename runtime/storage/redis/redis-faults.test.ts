import { once } from 'node:events';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { describeRemoteFaults } from '../contract/remote-faults.contract.ts';
import { type RedisServer, type RedisServerOptions, startRedis } from '../testing/servers/redis-server.ts';
import { serverPort } from '../testing/servers/server-port.ts';
import { RedisStorage } from './redis-storage.ts';

const SECRET = 'wrong-secret';

function storageOf(url: string, namespace = 'faults'): RedisStorage {
  return new RedisStorage({ redis: { url, clusterNodes: [] }, namespace });
}

async function another(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(() => server.stop());
  return server;
}

async function ask(url: string, ...words: string[]): Promise<void> {
  const [command = '', ...parameters] = words;
  const client = new Redis(url);
  try {
    await client.call(command, ...parameters);
  } finally {
    client.disconnect();
  }
}

/** Something that listens and is no Redis. */
async function webServer(): Promise<number> {
  const port = await serverPort();
  const server = createServer((_request, response) => response.end('Hello')).listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}

describeRemoteFaults<RedisServer>('redis', {
  kinds: ['redis'],
  start: () => startRedis(),
  connect: (_server, port, data) => storageOf(`redis://127.0.0.1:${port}`, data),
  mistakes: [
    {
      what: 'the password',
      connect: async () =>
        storageOf(`redis://:${SECRET}@127.0.0.1:${(await another({ password: 'right' })).port}`),
      code: 'storage.access_denied',
      says: /password/i,
      secret: SECRET,
    },
    {
      what: 'no password where one is needed',
      connect: async () => storageOf(`redis://127.0.0.1:${(await another({ password: 'right' })).port}`),
      code: 'storage.access_denied',
      says: /password/i,
    },
    {
      what: 'the user',
      connect: ({ port }) => storageOf(`redis://stranger:${SECRET}@127.0.0.1:${port}`),
      code: 'storage.access_denied',
      says: /user|password/i,
      secret: SECRET,
    },
    {
      what: 'the rights of the user',
      connect: async ({ url, port }) => {
        await ask(
          url,
          'ACL',
          'SETUSER',
          'reader',
          'on',
          `>${SECRET}`,
          '~*',
          '+@read',
          '+@connection',
          '+info',
        );
        return storageOf(`redis://reader:${SECRET}@127.0.0.1:${port}`);
      },
      code: 'storage.access_denied',
      says: /right|permission|ACL|allowed/i,
      secret: SECRET,
    },
    {
      what: 'TLS asked of a server that has none',
      connect: ({ port }) => storageOf(`rediss://127.0.0.1:${port}`),
      code: 'storage.unreachable',
      says: /TLS/,
    },
    {
      what: 'a certificate that nobody trusts',
      connect: async () => storageOf((await another({ tls: true })).url),
      code: 'storage.tls_failed',
      says: /certificate/,
    },
    {
      what: 'no TLS with a server that has nothing else',
      connect: async () => storageOf((await another({ tls: true })).url.replace('rediss:', 'redis:')),
      code: 'storage.unreachable',
      says: /closed|reset|lost/i,
    },
    {
      what: 'the port',
      connect: async () => storageOf(`redis://:${SECRET}@127.0.0.1:${await serverPort()}`),
      code: 'storage.unreachable',
      says: /Nobody listens at redis:\/\/127\.0\.0\.1:\d+/,
      secret: SECRET,
    },
    {
      what: 'the name of the host',
      connect: () => storageOf('redis://no-such-host.invalid'),
      code: 'storage.unreachable',
      says: /no-such-host\.invalid/,
    },
    {
      what: 'a server that is no Redis',
      connect: async () => storageOf(`redis://127.0.0.1:${await webServer()}`),
      code: 'storage.unsupported_server',
      says: /Redis/,
    },
    {
      what: 'a replica in the place of the primary',
      connect: async () => {
        const replica = await another();
        await ask(replica.url, 'REPLICAOF', '127.0.0.1', String(await serverPort()));
        return storageOf(replica.url);
      },
      code: 'storage.unsupported_server',
      says: /replica/,
    },
    {
      what: 'a node of a cluster in the place of a single server',
      connect: async () => storageOf((await another({ cluster: true })).url),
      code: 'storage.unsupported_server',
      says: /REDIS_CLUSTER_NODES/,
    },
  ],
});
