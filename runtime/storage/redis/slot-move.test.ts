import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StorageFault } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { type RedisCluster, startRedisCluster } from '../testing/servers/redis-cluster.ts';
import { RedisStorage } from './redis-storage.ts';

interface Move {
  keys(): Promise<string[]>;
  move(keys: readonly string[]): Promise<void>;
  /** How often either node has refused a command because of the move. */
  refusals(): Promise<number>;
  end(): Promise<void>;
}

describeWithServers(['redis'], 'a slot that is moved to another node of the cluster', () => {
  let cluster: RedisCluster;
  let nodes: Redis[];
  beforeAll(async () => {
    cluster = await startRedisCluster(2);
    nodes = cluster.servers.map(({ port }) => new Redis(port, '127.0.0.1'));
  }, 60_000);
  afterAll(async () => {
    for (const node of nodes) node.disconnect();
    await cluster.stop();
  }, 60_000);

  const beginMove = async (namespace: string): Promise<Move> => {
    const [first, second] = nodes as [Redis, Redis];
    const slot = await first.cluster('KEYSLOT', `{${namespace}}`);
    const holds = async (node: Redis) => (await node.cluster('COUNTKEYSINSLOT', slot)) > 0;
    const [from, to] = (await holds(first)) ? [first, second] : [second, first];
    const [fromId, toId] = [await from.cluster('MYID'), await to.cluster('MYID')];
    await to.cluster('SETSLOT', slot, 'IMPORTING', fromId);
    await from.cluster('SETSLOT', slot, 'MIGRATING', toId);
    const keys = () => from.cluster('GETKEYSINSLOT', slot, 1000);
    return {
      keys,
      move: async (moved) => {
        for (const key of moved) await from.migrate('127.0.0.1', Number(to.options.port), key, 0, 5_000);
      },
      refusals: async () => {
        const counts = await Promise.all([from, to].map((node) => node.info('errorstats')));
        return counts
          .flatMap((text) => [...text.matchAll(/errorstat_TRYAGAIN:count=(\d+)/g)])
          .reduce((sum, [, count]) => sum + Number(count), 0);
      },
      end: async () => {
        for (const node of [to, from]) await node.cluster('SETSLOT', slot, 'NODE', toId);
      },
    };
  };

  it.each([
    ['the documents', /:d:docs$|:w:/],
    ['what says which generation is active', /:meta$|:owner$/],
    ['nothing', /^$/],
  ])(
    'lets no commit be carried out by halves when %s was moved',
    async (what, isMoved) => {
      const namespace = `move-${what.length}`;
      const faults: StorageFault[] = [];
      const storage = new RedisStorage({
        redis: { clusterNodes: cluster.nodes },
        namespace,
        onFault: (fault) => faults.push(fault),
      });
      await storage.open();
      const commit = (value: number) =>
        storage.commit([
          { kind: 'put', collection: 'docs', id: 'a', value, index: { value } },
          { kind: 'append', log: 'events', value },
        ]);
      const state = async () => ({
        document: await storage.get('docs', 'a'),
        entries: (await storage.read('events')).map(({ sequence, value }) => [sequence, value]),
      });
      try {
        for (let value = 1; value <= 5; value++) await commit(value);
        const before = await state();
        const move = await beginMove(namespace);
        const refused = await move.refusals();
        await move.move((await move.keys()).filter((key) => isMoved.test(key)));
        const committed = commit(6);
        const settled = committed.catch((error: unknown) => error);
        await expect.poll(move.refusals, { timeout: 10_000 }).toBeGreaterThan(refused);
        expect(await state()).toEqual(before);
        await move.move(await move.keys());
        await move.end();
        expect(await settled).toEqual([{ version: 6 }, { sequence: 6 }]);
        expect(await commit(7)).toEqual([{ version: 7 }, { sequence: 7 }]);
        expect(await state()).toMatchObject({
          document: { version: 7, value: 7 },
          entries: [...before.entries, [6, 6], [7, 7]],
        });
        expect(faults).toEqual([]);
      } finally {
        await storage.close();
      }
    },
    60_000,
  );
});
