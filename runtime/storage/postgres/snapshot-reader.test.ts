import { expect, it, onTestFinished } from 'vitest';
import { recordsOf } from '../contract/fixture.ts';
import { SNAPSHOT_BATCH_BYTES } from '../snapshot-batch.ts';
import type { Operation, SnapshotRecord } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import { startPostgres } from '../testing/servers/postgres-server.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { usePostgres } from './testing/postgres-fixture.ts';
import { settingsFor } from './testing/schema.ts';

/** More than come in one answer; of sizes on both sides of all bounds. */
const VALUES = Array.from({ length: 700 }, (_, i) => {
  const size = i % 100 === 99 ? 3 * SNAPSHOT_BATCH_BYTES : (i * 7_919) % 2_500;
  return `${i} ${'é'.repeat(size)}`;
});
const idOf = (i: number) => `id "${String(i).padStart(3, '0')}\\`;
const texts = VALUES.map((value) => JSON.stringify(value));
const sizeOf = (batch: SnapshotRecord[]) =>
  batch.reduce((sum, record) => sum + (record.kind === 'log' ? 0 : record.json.length), 0);

describeWithServers(['postgres'], 'snapshots of PostgreSQL', () => {
  const server = usePostgres();

  it('come over TLS as well', async () => {
    await using secure = await startPostgres({ tls: true });
    const storage = new PostgresStorage({ postgres: settingsFor(`${secure.url}?sslmode=no-verify`) });
    onTestFinished(() => storage.close());
    await storage.open();
    await storage.commit(VALUES.map((value): Operation => ({ kind: 'append', log: 'events', value })));
    const json = (await recordsOf(storage)).flatMap((record) =>
      record.kind === 'entry' ? [record.json] : [],
    );
    expect(json).toEqual(texts);
    await storage.close();
  });

  it('hand out values of any size in batches of a bounded size, whatever is written meanwhile', async () => {
    const { make } = await server.newSchema();
    const storage = make();
    await storage.open();
    const puts = (values: string[]) =>
      values.map((value, i): Operation => ({ kind: 'put', collection: 'texts', id: idOf(i), value }));
    await storage.commit(VALUES.map((value): Operation => ({ kind: 'append', log: 'events', value })));
    await storage.commit(puts(VALUES));
    const before = await recordsOf(storage);
    const seen: SnapshotRecord[] = [];
    for await (const batch of storage.snapshot()) {
      if (batch.length > 1) expect(sizeOf(batch)).toBeLessThanOrEqual(SNAPSHOT_BATCH_BYTES);
      if (seen.length === 0) {
        await storage.commit([
          ...puts(VALUES.map(() => 'changed')),
          { kind: 'trim', log: 'events', through: 650 },
        ]);
      }
      seen.push(...batch);
    }
    expect(seen).toEqual(before);
    const jsonOf = (kind: 'document' | 'entry') =>
      seen.flatMap((record) => (record.kind === kind ? [record.json] : []));
    expect(jsonOf('document')).toEqual(texts);
    expect(jsonOf('entry')).toEqual(texts);
  });
});
