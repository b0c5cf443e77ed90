import { execFile } from 'node:child_process';
import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { recordsOf } from '../contract/fixture.ts';
import type { Operation } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type PostgresServer, startPostgres } from '../testing/servers/postgres-server.ts';
import { postgresOwner } from '../testing/servers/postgres-template.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { runSql, settingsFor } from './testing/schema.ts';

const run = promisify(execFile);

describeWithServers(['postgres'], 'a read replica of PostgreSQL', () => {
  let primary: PostgresServer;
  let replica: PostgresServer;
  beforeAll(async () => {
    primary = await startPostgres({ settings: { hot_standby_feedback: 'on' } });
    replica = await startPostgres();
    await follow(replica, primary);
  }, 60_000);
  afterAll(() => Promise.all([replica.stop(), primary.stop()]));

  const put = (id: string): Operation => ({
    kind: 'put',
    collection: 'sessions',
    id,
    value: id,
    index: { id },
  });
  /** How often the replica itself has looked for documents. */
  const looks = () =>
    runSql<{ count: number }>(
      replica.adminUrl,
      `SELECT coalesce(sum(idx_scan), 0)::integer AS count FROM pg_stat_user_tables
       WHERE relname = 'smalltalk_documents'`,
    ).then((rows) => rows[0]?.count ?? 0);
  const pauseReplay = (paused: boolean) =>
    runSql(replica.adminUrl, `SELECT pg_wal_replay_${paused ? 'pause' : 'resume'}()`);

  async function start(readUrl = replica.url) {
    const storage = new PostgresStorage({ postgres: settingsFor(primary.url, { readUrl }) });
    onTestFinished(() => storage.close());
    await storage.open();
    return storage;
  }
  const ids = async (storage: PostgresStorage) =>
    (await storage.list('sessions', { limit: 100 })).items.map(({ id }) => id);

  it('serves lists and snapshots once it has what was written, and never less than that', async () => {
    const storage = await start();
    await storage.commit([put('a')]);
    // Its own commits are seen at once, wherever they are read from.
    expect(await ids(storage)).toEqual(['a']);
    const before = await looks();
    await expect
      .poll(
        async () => {
          for (let i = 0; i < 20; i++) expect(await ids(storage)).toEqual(['a']);
          return looks();
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(before + 20);
    expect((await recordsOf(storage)).map((record) => record.kind)).toEqual(['document']);
  });

  it('is not asked while it lags behind', async () => {
    const storage = await start();
    await pauseReplay(true);
    onTestFinished(async () => void (await pauseReplay(false)));
    await storage.commit([put('late')]);
    expect(await ids(storage)).toContain('late');
    expect((await recordsOf(storage)).map((record) => record.kind === 'document' && record.id)).toContain(
      'late',
    );
  });

  it('may be away: everything is read from the primary, and that is said', async () => {
    const storage = await start(`postgres://nobody@127.0.0.1:1/smalltalk`);
    await storage.commit([put('b')]);
    expect(await ids(storage)).toContain('b');
    expect(await recordsOf(storage)).not.toEqual([]);
    expect((await storage.info()).notices.map(({ code }) => code)).toEqual(['postgres.replica_unusable']);
  });
});

/** Makes a server a standby of another one, with a copy of its data that is taken while neither runs. */
async function follow(replica: PostgresServer, primary: PostgresServer): Promise<void> {
  await Promise.all([replica.kill(), primary.kill()]);
  const { folder } = replica;
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  await run('cp', ['-a', `${primary.folder}/.`, folder], { ...postgresOwner() });
  await rm(join(folder, 'postmaster.pid'), { force: true });
  await appendFile(join(primary.folder, 'pg_hba.conf'), 'host replication postgres 127.0.0.1/32 trust\n');
  await writeFile(join(folder, 'standby.signal'), '');
  const source = `host=127.0.0.1 port=${primary.port} user=postgres`;
  await appendFile(
    join(folder, 'postgresql.conf'),
    `port = ${replica.port}\nprimary_conninfo = '${source}'\nwal_retrieve_retry_interval = '100ms'\n`,
  );
  await primary.restart();
  await replica.restart();
}
