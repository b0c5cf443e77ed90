import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { createLogger } from '../base/logger.ts';
import type { RuntimeEvent } from '../contract/index.ts';
import { RemoteStorage } from '../storage/degraded/remote.fixture.ts';
import { DegradedStorage } from '../storage/degraded.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import type { Operation } from '../storage/storage.ts';
import { createEventBus } from './create-event-bus.ts';
import { createStorageWatch, type StorageWatch } from './storage-watch.ts';

let folder: string;
let server: MemoryStorage;
let remote: RemoteStorage;
let storage: DegradedStorage;
let bus: ReturnType<typeof createEventBus>;
let watch: StorageWatch;
let log: { level: string; message: string }[];
let heard: RuntimeEvent[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalltalk-watch-'));
  server = new MemoryStorage();
  await server.open();
  remote = new RemoteStorage({}, server);
  log = [];
  heard = [];
  const logger = createLogger({
    level: 'debug',
    redact: (text) => text,
    write: (line) => log.push(JSON.parse(line)),
  });
  storage = new DegradedStorage({
    storage: remote,
    folder,
    random: () => 0,
    onModeChange: (mode, report) => watch.modeChanged(mode, report),
  });
  bus = createEventBus({
    storage,
    clock: systemClock,
    makeId: randomId,
    logger,
    retentionHours: 24,
    registrySize: 1000,
  });
  watch = createStorageWatch({ storage, bus, correlationId: 'test', logger });
  await storage.open();
  await bus.start();
  bus.subscribe({ name: 'test', topics: ['>'] }, (event) => {
    heard.push(event);
  });
  await bus.publish({ topic: 'backup.created', correlationId: 'c', data: { id: 'before' } });
});

afterEach(async () => {
  await bus.stop();
  await storage.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const away = () => {
  remote.fails = () => 'before';
};
const back = async () => {
  remote.fails = () => undefined;
  await vi.waitFor(() => expect(heard.at(-1)?.type).toBe('storage.recovered'), { timeout: 10_000 });
};
const topics = () => heard.map(({ type }) => type);
const put = (title: string): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id: 'a',
  value: { title },
});

it('publishes that the storage is lost and that it is back; events go on in between, and are kept', async () => {
  away();
  await bus.publish({ topic: 'backup.created', correlationId: 'c', data: { id: 'during' } });
  await vi.waitFor(() => expect(topics()).toContain('storage.degraded'));
  expect((await bus.read({ limit: 10 })).items.map(({ type }) => type)).toEqual(topics().toReversed());
  await back();
  expect(topics()).toEqual(['backup.created', 'backup.created', 'storage.degraded', 'storage.recovered']);
  const kept = await server.read<RuntimeEvent>('events');
  expect(kept.map(({ value }) => value.type)).toEqual(topics());
  expect(heard.at(-1)?.data).toMatchObject({ commits: 2, conflicts: 0, renumbered: 0 });
  expect(log.filter(({ level }) => level === 'ERROR')).toHaveLength(1);
  expect(log.filter(({ message }) => message.includes('taken the journal over'))).toHaveLength(1);
});

it('follows the numbers of the storage when others have published meanwhile', async () => {
  away();
  await bus.publish({ topic: 'backup.created', correlationId: 'c', data: { id: 'during' } });
  const [first] = await server.read<RuntimeEvent>('events');
  await server.commit([
    { kind: 'append', log: 'events', value: { ...first?.value, type: 'backup.deleted' } },
  ]);
  await back();
  const { items } = await bus.read({ limit: 10 });
  expect(items.map(({ type }) => type)).toEqual([
    'storage.recovered',
    'storage.degraded',
    'backup.created',
    'backup.deleted',
    'backup.created',
  ]);
  expect(items.map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1]);
});

it('shows the events that are known, and says why there are no older ones', async () => {
  await storage.close();
  await storage.open();
  await bus.reload();
  away();
  await bus.publish({ topic: 'backup.created', correlationId: 'c', data: { id: 'during' } });
  await vi.waitFor(() => expect(topics()).toContain('storage.degraded'));
  const page = await bus.read({ limit: 10 });
  expect(page.items.map(({ sequence }) => sequence)).toEqual([3, 2, 1]);
});

it('settles a conflict by the choice of the user, and tells it', async () => {
  await storage.commit([put('first')]);
  away();
  await storage.commit([{ ...put('mine'), expectVersion: 1 } as Operation]);
  await server.commit([put('theirs')]);
  await back();
  const [conflict, ...others] = await watch.conflicts();
  expect(others).toEqual([]);
  await watch.resolve(
    { id: conflict?.id ?? '', keep: 'mine', theirVersion: conflict?.theirs.version ?? 0 },
    { correlationId: 'r' },
  );
  expect(await watch.conflicts()).toEqual([]);
  expect((await storage.get('sessions', 'a'))?.value).toEqual({ title: 'mine' });
  expect(heard.at(-1)).toMatchObject({
    type: 'storage.conflict.resolved',
    subject: 'a',
    correlationid: 'r',
    data: { collection: 'sessions', documentId: 'a', kept: 'mine' },
  });
});
