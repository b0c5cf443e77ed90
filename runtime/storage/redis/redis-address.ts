import type { RedisOptions } from 'ioredis';
import type { RedisSettings } from '../../settings/settings.ts';

/** Where a server is, and who we are to it. */
export interface Address {
  options: RedisOptions;
  /** Without its secrets. */
  location: string;
}

/** The server, or the nodes of the cluster that are known. */
export function addressesOf({ url, clusterNodes }: RedisSettings): Address[] {
  const parsed = new URL(url ?? 'redis://localhost:6379');
  const secure = parsed.protocol === 'rediss:';
  const shared: RedisOptions = {
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(secure ? { tls: {} } : {}),
  };
  if (clusterNodes.length > 0) {
    return clusterNodes.map((node) => {
      const { hostname, port } = new URL(`redis://${node}`);
      return { options: { ...shared, ...place(hostname, port) }, location: `${parsed.protocol}//${node}` };
    });
  }
  const database = /^\/(\d+)$/.exec(parsed.pathname)?.[1];
  return [
    {
      options: {
        ...shared,
        ...place(parsed.hostname, parsed.port),
        ...(database === undefined ? {} : { db: Number(database) }),
      },
      location: `${parsed.protocol}//${parsed.host}${parsed.pathname}`,
    },
  ];
}

const place = (host: string, port: string) => ({
  host: host.replace(/^\[|\]$/g, ''),
  port: Number(port || '6379'),
});
