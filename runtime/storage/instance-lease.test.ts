import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { InstanceLease } from './instance-lease.ts';
import { MemoryStorage } from './memory/memory-storage.ts';

/** As far as these tests go, one that several processes share. */
class SharedStorage extends MemoryStorage {
  override readonly supports = { durable: false, sharedByProcesses: true, remote: true };
}

let clock: VirtualClock;
let storage: SharedStorage;
let reachable: boolean;
let leases: InstanceLease[];

beforeEach(async () => {
  clock = new VirtualClock();
  storage = new SharedStorage();
  await storage.open();
  reachable = true;
  leases = [];
});

afterEach(async () => {
  for (const lease of leases) await lease.release();
  await storage.close();
});

interface Instance {
  lease: InstanceLease;
  shared: (string | undefined)[];
}

function instance(
  name: string,
  { host = 'here', pid = 1, alive = true }: { host?: string; pid?: number; alive?: boolean } = {},
): Instance {
  const shared: (string | undefined)[] = [];
  const lease = new InstanceLease({
    storage,
    instance: name,
    clock,
    logger: silentLogger,
    host,
    pid,
    isAlive: () => alive,
    isReachable: () => reachable,
    onShared: (message) => shared.push(message),
  });
  leases.push(lease);
  return { lease, shared };
}

/** What it ends in while the time goes on. */
async function inTime(work: Promise<void>): Promise<'taken' | string> {
  let outcome: string | undefined;
  work.then(
    () => {
      outcome = 'taken';
    },
    (error: { code: string }) => {
      outcome = error.code;
    },
  );
  for (let second = 0; second < 60 && outcome === undefined; second++) await clock.advance(1_000);
  return outcome ?? 'still waiting';
}

const owner = async () => (await storage.get<{ instance: string }>('instances', 'owner'))?.value.instance;

describe('the lease of an instance', () => {
  test('is taken at once where nobody is, and let go of at the end', async () => {
    const one = instance('one');
    await one.lease.take();
    expect(await owner()).toBe('one');
    await one.lease.release();
    await one.lease.release();
    expect(await owner()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test('keeps another instance out for as long as it is renewed', async () => {
    await instance('one').lease.take();
    const two = instance('two', { host: 'there' });
    expect(await inTime(two.lease.take())).toBe('storage.locked');
    expect(await owner()).toBe('one');
  });

  test('keeps an instance of the same machine out, whatever its process is numbered', async () => {
    await instance('one', { pid: 7 }).lease.take();
    expect(await inTime(instance('two', { pid: 7 }).lease.take())).toBe('storage.locked');
    expect(await inTime(instance('three', { pid: 8 }).lease.take())).toBe('storage.locked');
  });

  test('passes at once to the next process of the machine on which the one before has died', async () => {
    await instance('one', { pid: 7 }).lease.take();
    await instance('two', { pid: 8, alive: false }).lease.take();
    expect(await owner()).toBe('two');
  });

  test('passes to another machine when it is no longer renewed, and not before', async () => {
    await put('dead');
    const two = instance('two', { host: 'there' });
    const before = clock.monotonic();
    expect(await inTime(two.lease.take())).toBe('taken');
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(12_000);
    expect(await owner()).toBe('two');
  });

  test('is given to one of two who wait for the same one to lapse', async () => {
    await put('dead');
    const [two, three] = [instance('two', { host: 'a' }), instance('three', { host: 'b' })];
    const outcomes = [
      inTime(two.lease.take()),
      three.lease.take().then(
        () => 'taken',
        (error) => error.code,
      ),
    ];
    expect((await Promise.all(outcomes)).toSorted()).toEqual(['storage.locked', 'taken']);
  });

  test('a wait for it ends with the stop of who waits', async () => {
    await put('dead');
    const two = instance('two', { host: 'there' });
    const taking = two.lease.take();
    const refused = expect(taking).rejects.toThrow();
    await clock.advance(2_000);
    await two.lease.release();
    await refused;
    expect(await owner()).toBe('dead');
    expect(clock.pending).toBe(0);
  });

  test('is taken again, without a word, when a restored backup brings an older one or none', async () => {
    const one = instance('one');
    await one.lease.take();
    await put('of the backup');
    await clock.advance(30_000);
    expect(await owner()).toBe('one');
    await storage.commit([{ kind: 'delete', collection: 'instances', id: 'owner' }]);
    await clock.advance(4_000);
    expect(await owner()).toBe('one');
    expect(one.shared).toEqual([]);
  });

  test('an instance that was away so long that another one began says so, until that one ends', async () => {
    const one = instance('one', { host: 'here' });
    await one.lease.take();
    reachable = false;
    const two = instance('two', { host: 'there' });
    expect(await inTime(two.lease.take())).toBe('taken');
    reachable = true;
    await clock.advance(20_000);
    expect(one.shared).toEqual([expect.stringContaining('on there')]);
    expect(await owner()).toBe('two');
    await two.lease.release();
    await clock.advance(20_000);
    expect(one.shared.at(-1)).toBeUndefined();
    expect(await owner()).toBe('one');
  });

  test('is nothing to a storage that one process has for itself', async () => {
    const alone = new MemoryStorage();
    await alone.open();
    const lease = new InstanceLease({ storage: alone, instance: 'one', clock, logger: silentLogger });
    await lease.take();
    await clock.advance(10_000);
    expect((await alone.stats()).documents).toEqual({});
    await lease.release();
    expect(clock.pending).toBe(0);
    await alone.close();
  });

  test('the target of a move is refused while somebody works on it, and not touched', async () => {
    await instance('one', { host: 'there' }).lease.take();
    const { signal } = new AbortController();
    expect(await inTime(instance('two').lease.refuseUsed(storage, signal))).toBe('storage.locked');
    await leases[0]?.release();
    expect(await inTime(instance('three').lease.refuseUsed(storage, signal))).toBe('taken');
    expect(await owner()).toBeUndefined();
  });
});

/** A lease that nobody renews. */
async function put(name: string): Promise<void> {
  const value = { instance: name, host: 'elsewhere', pid: 99, since: 1 };
  await storage.commit([{ kind: 'put', collection: 'instances', id: 'owner', value }]);
}
