import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { Client } from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithServers } from './describe-with-servers.ts';
import { startPostgres } from './postgres-server.ts';
import { startRedisCluster } from './redis-cluster.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

/** Long enough for a busy machine; what is waited for comes within milliseconds. */
const PATIENCE = { timeout: 90_000 };

function redisClient(server: RedisServer): Redis {
  const client = new Redis(server.url, {
    lazyConnect: true,
    retryStrategy: () => null,
    ...(server.certificate === undefined ? {} : { tls: { ca: server.certificate } }),
  });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

async function postgresClient(connectionString: string, ca?: string): Promise<Client> {
  const client = new Client({
    connectionString,
    keepAlive: false,
    ...(ca === undefined ? {} : { ssl: { ca } }),
  });
  client.on('error', () => undefined);
  onTestFinished(() => client.end().catch(() => undefined));
  await client.connect();
  return client;
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}/status`);

describeWithServers(['redis'], 'a Redis for tests', () => {
  it('keeps its data over a kill and a restart, on the same port', PATIENCE, async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    await redisClient(server).set('key', 'kept');
    await server.kill();
    await expect(redisClient(server).connect()).rejects.toThrow(/closed|ECONNREFUSED/);
    await server.restart();
    const client = redisClient(server);
    expect(await client.get('key')).toBe('kept');
    await server.stop();
    await server.stop();
    await expect(redisClient(server).connect()).rejects.toThrow();
  });

  it('answers nothing while it is paused, and everything afterwards', PATIENCE, async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const client = redisClient(server);
    await client.ping();
    server.pause();
    const answer = client.ping();
    expect(await Promise.race([answer, wait(100, 'silence')])).toBe('silence');
    server.resume();
    expect(await answer).toBe('PONG');
    server.pause();
    await server.stop();
  });

  it('asks for its password', PATIENCE, async () => {
    const server = await startRedis({ password: 'p@ss/word' });
    onTestFinished(() => server.stop());
    expect(await redisClient(server).ping()).toBe('PONG');
    const stranger = redisClient({ ...server, url: `redis://127.0.0.1:${server.port}` } as RedisServer);
    await expect(stranger.ping()).rejects.toThrow('NOAUTH');
  });

  it('speaks TLS with a certificate of its own', PATIENCE, async () => {
    const server = await startRedis({ tls: true });
    onTestFinished(() => server.stop());
    expect(await redisClient(server).ping()).toBe('PONG');
    const distrusting = new Redis(server.url, { lazyConnect: true, retryStrategy: () => null });
    onTestFinished(() => distrusting.disconnect());
    let reason: unknown;
    distrusting.on('error', (error) => {
      reason = error;
    });
    await expect(distrusting.connect()).rejects.toThrow();
    expect(reason).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  it('comes as a cluster, whose nodes share the slots', PATIENCE, async () => {
    const cluster = await startRedisCluster(3);
    onTestFinished(() => cluster.stop());
    const client = new Cluster(cluster.servers.map(({ port }) => ({ host: '127.0.0.1', port })));
    onTestFinished(() => client.disconnect());
    for (let i = 0; i < 30; i++) await client.set(`key-${i}`, i);
    expect(await client.get('key-7')).toBe('7');
    const sizes = await Promise.all(cluster.servers.map((server) => redisClient(server).dbsize()));
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(30);
  });
});

describeWithServers(['postgres'], 'a PostgreSQL for tests', () => {
  it('keeps its data over a kill and a restart, on the same port', PATIENCE, async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const client = await postgresClient(server.url);
    await client.query('CREATE TABLE kept (n int)');
    await client.query('INSERT INTO kept VALUES (7)');
    await server.kill();
    await expect(postgresClient(server.url)).rejects.toThrow('ECONNREFUSED');
    await server.restart();
    expect((await (await postgresClient(server.url)).query('SELECT n FROM kept')).rows).toEqual([{ n: 7 }]);
    const settings = await (await postgresClient(server.url)).query(
      "SELECT current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding, 'a' < 'B' AS dictionary",
    );
    expect(settings.rows).toEqual([{ fsync: 'on', encoding: 'UTF8', dictionary: true }]);
  });

  it(
    'answers nothing while it is paused, on old and new connections, and everything afterwards',
    PATIENCE,
    async () => {
      const server = await startPostgres();
      onTestFinished(() => server.stop());
      const client = await postgresClient(server.url);
      server.pause();
      const answer = client.query('SELECT 1 AS one').then(({ rows }) => rows);
      const connected = postgresClient(server.url).then(() => 'connected');
      expect(await Promise.race([answer, connected, wait(100, 'silence')])).toBe('silence');
      server.resume();
      expect(await answer).toEqual([{ one: 1 }]);
      expect(await connected).toBe('connected');
    },
  );

  it('knows a user with a password, and one without rights', PATIENCE, async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    await (await postgresClient(server.guardedUrl)).query('CREATE TABLE mine (n int)');
    await expect(postgresClient(server.guardedUrl.replace(/:[^:@]+@/, ':wrong@'))).rejects.toMatchObject({
      code: '28P01',
    });
    const powerless = await postgresClient(server.powerlessUrl);
    await expect(powerless.query('CREATE TABLE theirs (n int)')).rejects.toMatchObject({ code: '42501' });
    await expect(powerless.query('CREATE SCHEMA theirs')).rejects.toMatchObject({ code: '42501' });
    await (await postgresClient(server.url)).query('CREATE SCHEMA ours');
  });

  it('offers TLS with a certificate of its own', PATIENCE, async () => {
    const server = await startPostgres({ tls: true });
    onTestFinished(() => server.stop());
    const client = await postgresClient(server.url, server.certificate);
    const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
  });
});

describeWithServers(['redis', 'postgres'], 'the watchdog', () => {
  it('ends what a test left behind when its process was killed, also what was hung', PATIENCE, async () => {
    const leaver = spawn(process.execPath, [`${import.meta.dirname}/leave-servers.ts`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: leaver.stdout }), 'line');
    const left = JSON.parse(line) as { pids: number[]; folders: string[] };
    expect(left.pids.every(isAlive)).toBe(true);
    expect(left.folders.every(existsSync)).toBe(true);
    leaver.kill('SIGKILL');
    await expect
      .poll(() => left.pids.some(isAlive) || left.folders.some((folder) => existsSync(folder)), {
        timeout: 60_000,
      })
      .toBe(false);
  });
});
