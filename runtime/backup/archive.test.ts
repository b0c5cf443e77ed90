import { open } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { SnapshotRecord } from '../storage/storage.ts';
import {
  archiveMaker,
  inBatches,
  LINES,
  never,
  RECORDS,
  readAll,
  refusal,
  unpack,
} from './archive.fixture.ts';
import { PART_TARGET } from './archive-format.ts';
import { openArchive, readManifest } from './archive-reader.ts';
import { writeArchive } from './archive-writer.ts';
import { temporaryFolder } from './backup.fixture.ts';
import { LogicalHash } from './logical-hash.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const { newPath, write } = archiveMaker(() => folder.path);

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

describe('an archive', () => {
  it('holds every record as it was, and says in its manifest what it holds', async () => {
    const path = await write(RECORDS);
    const { archive, records } = await readAll(path);
    expect(records).toEqual(RECORDS);
    const hash = new LogicalHash();
    for (const record of RECORDS) hash.add(record);
    expect(archive.manifest).toMatchObject({
      format: 'smalltalk-backup',
      formatVersion: 1,
      productVersion: '1.2.3',
      adapter: 'memory',
      createdAt: 1_790_000_000_000,
      counts: { records: 7, documents: { agents: 1, sessions: 2 }, logs: { messages: 2 } },
      logicalHash: hash.digest(),
    });
    expect((await readManifest(path)).manifest).toEqual(archive.manifest);
  });

  it('of nothing is an archive too', async () => {
    const { archive, records } = await readAll(await write([]));
    expect(records).toEqual([]);
    expect(archive.manifest).toMatchObject({ counts: { records: 0 }, parts: [] });
  });

  it('leaves jobs out', async () => {
    const job: SnapshotRecord = {
      kind: 'document',
      collection: 'jobs',
      id: 'j',
      version: 1,
      json: '{}',
      index: {},
    };
    const { records } = await readAll(await write([RECORDS[0] as SnapshotRecord, job]));
    expect(records).toEqual([RECORDS[0]]);
  });

  it('is a tar that other programs read, the manifest last', async () => {
    const entries = await unpack(await write(RECORDS));
    expect(entries.map(({ header }) => header.name)).toEqual(['parts/000001.ndjson.zst', 'manifest.json']);
    const lines = zstdDecompressSync(entries[0]?.bytes as Buffer).toString();
    expect(lines.trimEnd().split('\n')).toEqual(LINES);
    expect(JSON.parse(entries[1]?.bytes.toString() ?? '')).toMatchObject({ format: 'smalltalk-backup' });
  });

  it('is cut into parts of bounded size, a record that is larger alone in its own', async () => {
    const many: SnapshotRecord[] = Array.from({ length: 40 }, (_, i) => ({
      kind: 'document',
      collection: 'sessions',
      id: String(i).padStart(3, '0'),
      version: 1,
      json: JSON.stringify('x'.repeat(i === 20 ? PART_TARGET + 1000 : 400_000)),
      index: {},
    }));
    const { archive, records } = await readAll(await write(many));
    expect(records).toEqual(many);
    const { parts } = archive.manifest;
    expect(parts.length).toBeGreaterThan(4);
    for (const part of parts) {
      expect(part.records === 1 || part.uncompressedBytes <= PART_TARGET).toBe(true);
    }
    expect(parts.filter((part) => part.uncompressedBytes > PART_TARGET)).toMatchObject([{ records: 1 }]);
    expect(archive.uncompressedBytes).toBe(parts.reduce((sum, part) => sum + part.uncompressedBytes, 0));
  });

  it('stays without a manifest when its making is aborted or its source fails', async () => {
    const path = newPath();
    const controller = new AbortController();
    async function* aborting() {
      yield RECORDS.slice(0, 3);
      controller.abort(new Error('cancelled'));
      yield RECORDS.slice(3);
    }
    async function* failing(): AsyncGenerator<SnapshotRecord[]> {
      yield RECORDS.slice(0, 3);
      throw new Error('the storage failed');
    }
    const about = { adapter: 'memory', productVersion: '1', createdAt: 1 };
    const options = { clock: systemClock, signal: controller.signal, onRecords: () => undefined };
    const file = await open(path, 'wx+');
    await expect(writeArchive(file, { ...about, records: aborting() }, options)).rejects.toThrow('cancelled');
    const unaborted = { ...options, signal: never };
    await expect(writeArchive(file, { ...about, records: failing() }, unaborted)).rejects.toThrow(
      'the storage failed',
    );
    await file.close();
    expect((await refusal(path)).code).not.toBe('accepted');
  });

  it('is refused by the disk with the error of the disk', async () => {
    const file = await open('/dev/full', 'r+');
    const records = inBatches(RECORDS);
    const about = { adapter: 'memory', productVersion: '1', createdAt: 1, records };
    const options = { clock: systemClock, signal: never, onRecords: () => undefined };
    await expect(writeArchive(file, about, options)).rejects.toMatchObject({ code: 'ENOSPC' });
    await file.close();
  });

  it('stops being read when that is aborted', async () => {
    const archive = await openArchive(await write(RECORDS));
    const controller = new AbortController();
    controller.abort(new Error('cancelled'));
    const reading = archive.records({ clock: systemClock, signal: controller.signal });
    await expect(reading[Symbol.asyncIterator]().next()).rejects.toThrow('cancelled');
    await archive.close();
  });

  it('that was checked is read again by its checksums, and a change in between is found', async () => {
    const path = await write(RECORDS);
    const archive = await openArchive(path);
    await archive.check({ clock: systemClock, signal: never });
    const again: SnapshotRecord[] = [];
    for await (const batch of archive.records({ clock: systemClock, signal: never })) again.push(...batch);
    expect(again).toEqual(RECORDS);

    const file = await open(path, 'r+');
    await file.write(Buffer.from('x'), 0, 1, 600);
    await file.close();
    const changed = archive.records({ clock: systemClock, signal: never });
    await expect(changed[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'backup.archive_damaged',
    });
    await archive.close();
  });
});
