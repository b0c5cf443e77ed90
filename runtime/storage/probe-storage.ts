/**
 * Tries to reach a storage, for the button "Test connection". Nothing is made or changed there: no folder, no table, no
 * key. What `open` would refuse is refused here with the same codes and words, as far as looking can tell.
 */
import { access, constants, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createPrivateFile } from '../base/durable-file.ts';
import { messageOf, systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/error-codes.ts';
import type { OpenStorageOptions } from './open-storage.ts';
import type { StorageInfo } from './storage.ts';

export interface StorageProbe extends StorageInfo {
  type: string;
  /** False when it holds data of this product already; undefined when that cannot be told by looking. */
  empty?: boolean;
}

type Look = (options: OpenStorageOptions) => Promise<Omit<StorageProbe, 'type'>>;

/** As with the adapters, a client library is loaded on first use. */
const LOOKS: Record<string, Look> = {
  sqlite: ({ dataDir }) => lookAtFolder(join(dataDir, 'storage'), 'SQLite'),
  file: ({ dataDir }) => lookAtFolder(join(dataDir, 'files'), 'Files'),
  redis: async (options) => {
    const { probeRedis } = await import('./redis/probe-redis.ts');
    return probeRedis(settingsOf(options.redis));
  },
  postgres: async (options) => {
    const { probePostgres } = await import('./postgres/probe-postgres.ts');
    return probePostgres(settingsOf(options.postgres));
  },
  /** The slower of the two is what a commit waits for. */
  hybrid: async (options) => {
    const [redis, postgres] = await Promise.all([look(options, 'redis'), look(options, 'postgres')]);
    return {
      product: `${redis.product} and ${postgres.product}`,
      location: `${redis.location} and ${postgres.location}`,
      latencyMs: Math.max(redis.latencyMs, postgres.latencyMs),
      notices: [...redis.notices, ...postgres.notices],
      // All of the data is in PostgreSQL.
      ...(postgres.empty === undefined ? {} : { empty: postgres.empty }),
    };
  },
};

/** Rejects with what `open` rejects with, and with `storage.unsupported_type`. */
export async function probeStorage(options: OpenStorageOptions): Promise<StorageProbe> {
  return { type: options.type, ...(await look(options, options.type)) };
}

function look(options: OpenStorageOptions, type: string): ReturnType<Look> {
  const found = Object.hasOwn(LOOKS, type) ? LOOKS[type] : undefined;
  if (found === undefined) {
    throw fault('storage.unsupported_type', `There is no way to test the storage type "${type}".`);
  }
  return found(options);
}

function settingsOf<T>(settings: T | undefined): T {
  if (settings === undefined) throw fault('storage.invalid', 'The address of the storage is not given.');
  return settings;
}

/** A folder can be used when it, or the nearest one above it that is there, takes a file and syncs it. */
async function lookAtFolder(folder: string, product: string): Promise<Omit<StorageProbe, 'type'>> {
  const found = await contentOf(folder);
  const place = found === undefined ? await nearestFolder(dirname(folder)) : folder;
  const trial = join(place, `.trial-${process.pid}-${Date.now()}`);
  const asked = performance.now();
  try {
    const file = await createPrivateFile(trial);
    try {
      await file.writeFile('trial');
      await file.sync();
    } finally {
      await file.close();
      await rm(trial, { force: true });
    }
  } catch (error) {
    throw asFolderFault(error, place);
  }
  return {
    product,
    location: folder,
    latencyMs: performance.now() - asked,
    notices: [],
    empty: found === undefined || found.length === 0,
  };
}

/** Undefined when there is no such folder. */
async function contentOf(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw asFolderFault(error, folder);
  }
}

async function nearestFolder(path: string): Promise<string> {
  try {
    await access(path, constants.F_OK);
    return path;
  } catch (error) {
    if (dirname(path) === path) throw asFolderFault(error, path);
    return nearestFolder(dirname(path));
  }
}

function asFolderFault(error: unknown, folder: string) {
  const code = systemCodeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return fault('storage.full', `The disk of ${folder} is full.`, { folder }, { cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return fault(
      'storage.read_only',
      `The folder ${folder} cannot be written to (${code}).`,
      { folder },
      { cause: error },
    );
  }
  return fault(
    'storage.failed',
    `The folder ${folder} cannot be used: ${messageOf(error)}`,
    { folder },
    { cause: error },
  );
}
