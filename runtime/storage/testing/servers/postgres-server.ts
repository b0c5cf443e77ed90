import { execFile } from 'node:child_process';
import { appendFile, chown, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificate } from './certificate.ts';
import { GUARDED_PASSWORD, postgresOwner, postgresTemplate } from './postgres-template.ts';
import { programsOf } from './programs.ts';
import { serverPort } from './server-port.ts';
import { startServer, type TestServer } from './server-process.ts';

const run = promisify(execFile);

export interface PostgresServerOptions {
  /** Offers TLS besides plain connections, with a certificate made for it. */
  tls?: boolean;
  /** More lines of `postgresql.conf`, by name. */
  settings?: Record<string, string>;
}

export interface PostgresServer extends TestServer {
  /** Of the user and database `smalltalk`: owner of the database, no superuser, no password. */
  readonly url: string;
  /** Of the superuser `postgres`, same database. */
  readonly adminUrl: string;
  /** Of `guarded`, who has the same rights and needs the password that is in it. */
  readonly guardedUrl: string;
  /** Of `powerless`, who may connect and nothing else. */
  readonly powerlessUrl: string;
  /** What a client must trust to speak TLS with it, PEM. */
  readonly certificate?: string;
}

/** Starts a PostgreSQL of its own on loopback, with an empty database; fsync is on. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const programs = programsOf('postgres');
  const owner = postgresOwner();
  const template = await postgresTemplate(programs, owner);
  const port = await serverPort();
  const folder = await mkdtemp(join(tmpdir(), 'test-postgres-'));
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
  await run('cp', ['-a', `${template}/.`, folder], { ...owner });

  const settings: Record<string, string> = {
    listen_addresses: "'127.0.0.1'",
    port: String(port),
    // Over TCP only; the default folder of the sockets belongs to Debian's own server.
    unix_socket_directories: "''",
    fsync: 'on',
    max_connections: '60',
    shared_buffers: '32MB',
    // In the data folder: what a killed server leaves goes away with it.
    dynamic_shared_memory_type: 'mmap',
    lc_messages: "'C'",
    log_destination: "'stderr'",
    logging_collector: 'off',
    ...options.settings,
  };
  const certificate = options.tls === true ? await makeCertificate(folder) : undefined;
  if (certificate !== undefined) {
    if (owner !== undefined) {
      for (const file of [certificate.certificateFile, certificate.keyFile])
        await chown(file, owner.uid, owner.gid);
    }
    Object.assign(settings, { ssl: 'on', ssl_cert_file: "'server.crt'", ssl_key_file: "'server.key'" });
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await appendFile(join(folder, 'postgresql.conf'), lines.join(''));

  const server = await startServer({
    name: 'postgres',
    program: join(programs, 'postgres'),
    args: ['-D', folder],
    ...(owner === undefined ? {} : { owner }),
    folder,
    port,
    ready: /database system is ready to accept (read-only )?connections/,
    // Ends at once, and gives back what it has of the system.
    endSignal: 'SIGQUIT',
    afterEnd: () => removeSharedMemory(folder),
  });
  const urlOf = (user: string) => `postgres://${user}@127.0.0.1:${port}/smalltalk`;
  return Object.assign(server, {
    url: urlOf('smalltalk'),
    adminUrl: urlOf('postgres'),
    guardedUrl: urlOf(`guarded:${encodeURIComponent(GUARDED_PASSWORD)}`),
    powerlessUrl: urlOf('powerless'),
    ...(certificate === undefined ? {} : { certificate: certificate.certificate }),
  });
}

/** Frees what a server that was killed has left in the system: a small segment of shared memory, named in its lock file. */
async function removeSharedMemory(folder: string): Promise<void> {
  const lock = await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const segment = lock?.split('\n')[6]?.trim().split(/\s+/)[1];
  if (segment === undefined) return;
  await run('ipcrm', ['-m', segment]).catch(() => undefined);
}
