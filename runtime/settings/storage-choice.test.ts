import { describe, expect, it } from 'vitest';
import type { StorageChoice } from '../contract/index.ts';
import { loadSettings } from './load-settings.ts';
import { adoptStorage, knownAddresses, pinnedByEnvironment, planStorage } from './storage-choice.ts';

const settingsOf = (env: Record<string, string> = {}, file: Record<string, unknown> = {}) =>
  loadSettings({ env, file });

const plan = (choice: StorageChoice, env: Record<string, string> = {}, file: Record<string, unknown> = {}) =>
  planStorage(settingsOf(env, file), choice);

describe('planStorage', () => {
  it('writes down the type and the addresses that were given, and nothing else', () => {
    expect(plan({ type: 'file' }).changes).toEqual({ STORAGE_TYPE: 'file' });
    const { changes, storage, pinned } = plan({
      type: 'hybrid',
      redis: { url: 'rediss://cache:6380' },
      postgres: { url: 'postgresql://me@db/talk?sslmode=require' },
    });
    expect(changes).toEqual({
      STORAGE_TYPE: 'hybrid',
      REDIS_URL: 'rediss://cache:6380',
      POSTGRES_URL: 'postgresql://me@db/talk?sslmode=require',
    });
    expect(storage).toMatchObject({
      type: 'hybrid',
      redis: { url: 'rediss://cache:6380', clusterNodes: [] },
      postgres: { url: 'postgresql://me@db/talk?sslmode=require', poolMax: 20 },
    });
    expect(pinned).toEqual([]);
  });

  it('is what the settings say once the changes stand in the file', () => {
    const choices: StorageChoice[] = [
      { type: 'file' },
      { type: 'redis', redis: { url: 'redis://cache', password: 'p:w@/ü' } },
      { type: 'redis', redis: { clusterNodes: 'a:1, b:2', password: 'secret' } },
      { type: 'postgres', postgres: { url: 'postgres://me@db/talk', password: 'secret' } },
      { type: 'postgres', postgres: { password: 'secret' } },
    ];
    const before = { PGHOST: 'old', POSTGRES_READ_URL: 'postgres://replica/x', REDIS_CLUSTER_NODES: 'old:1' };
    for (const choice of choices) {
      const settings = settingsOf({}, before);
      const planned = planStorage(settings, choice);
      const file = Object.entries({ ...before, ...planned.changes }).filter(([, value]) => value !== null);
      const loaded = settingsOf({}, Object.fromEntries(file));
      expect(loaded.storage, JSON.stringify(choice)).toEqual(planned.storage);
      const adopted = adoptStorage(settings, planned);
      expect(adopted.described, JSON.stringify(choice)).toEqual(loaded.described);
      expect(adopted.secrets).toEqual(expect.arrayContaining(loaded.secrets));
    }
  });

  it('takes an address that is set already, with another password if one is given', () => {
    const file = { POSTGRES_URL: 'postgres://me:old@db/talk' };
    expect(plan({ type: 'postgres' }, {}, file).storage.postgres.url).toBe('postgres://me:old@db/talk');
    expect(plan({ type: 'postgres', postgres: { password: 'new' } }, {}, file)).toMatchObject({
      changes: { POSTGRES_URL: 'postgres://me:new@db/talk' },
      secrets: ['postgres://me:new@db/talk', 'new'],
    });
  });

  it.each(['100%', 'p%40ss', 'a:b@c/d?e#f', 'ü €'])('keeps the password %s as it is', (password) => {
    const { storage, secrets } = plan({
      type: 'hybrid',
      redis: { url: 'redis://cache', password },
      postgres: { url: 'postgres://me@db/talk', password },
    });
    for (const url of [storage.redis.url, storage.postgres.url]) {
      expect(decodeURIComponent(new URL(url ?? '').password)).toBe(password);
    }
    expect(secrets).toContain(password);
  });

  it('drops the replica of the server before', () => {
    const file = { POSTGRES_URL: 'postgres://a/x', POSTGRES_READ_URL: 'postgres://b/x' };
    const { changes, storage } = plan({ type: 'postgres', postgres: { url: 'postgres://c/x' } }, {}, file);
    expect(changes.POSTGRES_READ_URL).toBeNull();
    expect(storage.postgres).not.toHaveProperty('readUrl');
    expect(plan({ type: 'postgres' }, {}, file).storage.postgres.readUrl).toBe('postgres://b/x');
  });

  it('says which settings of the environment are in the way, and only those', () => {
    const url = 'postgres://a/x';
    const choice: StorageChoice = { type: 'postgres', postgres: { url } };
    expect(plan(choice, { STORAGE_TYPE: 'sqlite', REDIS_URL: 'redis://a' }).pinned).toEqual(['STORAGE_TYPE']);
    expect(plan(choice, { POSTGRES_URL: url }).pinned).toEqual([]);
    expect(plan(choice, { POSTGRES_URL: 'postgres://b/x' }).pinned).toEqual(['POSTGRES_URL']);
    expect(plan(choice, { POSTGRES_READ_URL: 'postgres://b/x' }).pinned).toEqual(['POSTGRES_READ_URL']);
    expect(
      plan({ type: 'redis', redis: { url: 'redis://a' } }, { REDIS_CLUSTER_NODES: 'a:1' }).pinned,
    ).toEqual(['REDIS_CLUSTER_NODES']);
  });

  it.each<[StorageChoice, string]>([
    [{ type: 'redis' }, 'redis.url'],
    [{ type: 'hybrid', redis: { url: 'redis://a' } }, 'postgres.url'],
    [{ type: 'redis', redis: { url: 'http://:hunter22@a' } }, 'redis.url'],
    [{ type: 'redis', redis: { clusterNodes: 'a' } }, 'redis.clusterNodes'],
    [{ type: 'postgres', postgres: { url: 'hunter22' } }, 'postgres.url'],
  ])('refuses %o at the field, without telling what was given', (choice, path) => {
    const refusal = (() => {
      try {
        plan(choice);
      } catch (error) {
        return error as { code: string; message: string; data: unknown };
      }
      throw new Error('it was taken');
    })();
    expect(refusal).toMatchObject({ code: 'request.invalid', data: { issues: [{ path }] } });
    expect(refusal.message + JSON.stringify(refusal.data)).not.toContain('hunter22');
  });
});

it('shows addresses without what is secret in them', () => {
  const env = {
    REDIS_URL: 'rediss://user:hunter22@cache:6380/1?password=hunter22',
    PGHOST: 'db',
    PGDATABASE: 'talk',
    POSTGRES_PASSWORD: 'hunter22',
  };
  expect(knownAddresses(settingsOf(env))).toEqual({
    redis: 'rediss://user@cache:6380/1',
    postgres: 'postgres://db:5432/talk',
  });
  expect(knownAddresses(settingsOf())).toEqual({});
  expect(pinnedByEnvironment(settingsOf({ ...env, PGPOOL_MAX: '30' }, { STORAGE_TYPE: 'file' }))).toEqual([
    'REDIS_URL',
    'PGHOST',
    'PGDATABASE',
    'POSTGRES_PASSWORD',
  ]);
});
