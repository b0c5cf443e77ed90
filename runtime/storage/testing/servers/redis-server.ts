import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from './certificate.ts';
import { programsOf } from './programs.ts';
import { serverPort } from './server-port.ts';
import { startServer, type TestServer } from './server-process.ts';

export interface RedisServerOptions {
  /** Default `always`: nothing that it has answered is lost when it is killed. `never`: no append-only file at all. */
  appendfsync?: 'always' | 'everysec' | 'no' | 'never';
  /** A node of a cluster, which knows no other and has no slots; see `startRedisCluster`. */
  cluster?: boolean;
  /** Speaks TLS only, with a certificate made for it. */
  tls?: boolean;
  password?: string;
}

export interface RedisServer extends TestServer {
  /** With the password; `rediss:` when it speaks TLS. */
  readonly url: string;
  /** What a client must trust to speak TLS with it, PEM. */
  readonly certificate?: string;
}

/** Starts a Redis of its own on loopback, with an empty data folder. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const programs = programsOf('redis');
  const port = await serverPort();
  const folder = await mkdtemp(join(tmpdir(), 'test-redis-'));
  const { appendfsync = 'always', password } = options;
  const args = [
    ...['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--daemonize', 'no', '--protected-mode', 'no'],
    ...(appendfsync === 'never'
      ? ['--appendonly', 'no']
      : ['--appendonly', 'yes', '--appendfsync', appendfsync]),
    ...(password === undefined ? [] : ['--requirepass', password]),
  ];
  const certificate = options.tls === true ? await makeCertificate(folder) : undefined;
  if (certificate === undefined) args.push('--port', String(port));
  else {
    args.push('--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no');
    args.push('--tls-cert-file', certificate.certificateFile, '--tls-key-file', certificate.keyFile);
    args.push('--tls-ca-cert-file', certificate.certificateFile);
  }
  if (options.cluster === true) {
    args.push('--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf');
    // How long a node may be silent before the others take it for lost; the default is 15 s.
    args.push('--cluster-node-timeout', '2000');
  }
  const server = await startServer({
    name: 'redis-server',
    program: join(programs, 'redis-server'),
    args,
    folder,
    port,
    ready: /Ready to accept connections/,
    endSignal: 'SIGTERM',
  });
  const scheme = certificate === undefined ? 'redis' : 'rediss';
  const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return Object.assign(server, {
    url: `${scheme}://${user}127.0.0.1:${port}`,
    ...(certificate === undefined ? {} : { certificate: certificate.certificate }),
  });
}
