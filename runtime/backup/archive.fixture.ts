/** Archives for the tests of this room: right ones, and ones as somebody would forge them who knows the format. */
import { createHash } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { extract, type Header, pack } from 'tar-stream';
import { systemClock } from '../base/clock.ts';
import { isCoded } from '../base/errors.ts';
import type { Manifest } from '../contract/index.ts';
import type { SnapshotRecord } from '../storage/storage.ts';
import { canonicalLine, encodeManifest } from './archive-format.ts';
import { type Archive, openArchive } from './archive-reader.ts';
import { writeArchive } from './archive-writer.ts';

export const never = new AbortController().signal;

/** One record of each kind, with what is easily got wrong: other scripts, an expiry, a log without entries. */
export const RECORDS: SnapshotRecord[] = [
  {
    kind: 'document',
    collection: 'agents',
    id: 'echo',
    version: 3,
    json: '{"name":"Écho"}',
    index: { name: 'Écho' },
  },
  {
    kind: 'document',
    collection: 'sessions',
    id: 'a',
    version: 1,
    json: '{"b":1,"a":[]}',
    index: { z: 1, a: '' },
  },
  {
    kind: 'document',
    collection: 'sessions',
    id: 'b/\u2028 🚀',
    version: 9,
    json: 'null',
    index: {},
    expiresAt: 7,
  },
  { kind: 'log', log: 'audit', lastSequence: 12 },
  { kind: 'log', log: 'messages/a', lastSequence: 5 },
  { kind: 'entry', log: 'messages/a', sequence: 2, at: 1000, json: '"line\\nend"' },
  { kind: 'entry', log: 'messages/a', sequence: 5, at: 1001, json: '{}' },
];

export const LINES = RECORDS.map(canonicalLine);

export async function* inBatches(records: SnapshotRecord[], size = 3) {
  for (let i = 0; i < records.length; i += size) yield records.slice(i, i + size);
}

export async function readAll(path: string): Promise<{ archive: Archive; records: SnapshotRecord[] }> {
  const archive = await openArchive(path);
  try {
    const records: SnapshotRecord[] = [];
    for await (const batch of archive.records({ clock: systemClock, signal: never })) records.push(...batch);
    return { archive, records };
  } finally {
    await archive.close();
  }
}

/** What reading all of a file is refused with. */
export async function refusal(path: string): Promise<{ code: string; message: string }> {
  try {
    await readAll(path);
  } catch (error) {
    if (isCoded(error)) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'accepted', message: '' };
}

export interface Entry {
  header: Partial<Header> & { name: string };
  bytes: Buffer;
}

export async function unpack(path: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const extractor = extract();
  extractor.end(await readFile(path));
  for await (const entry of extractor) {
    entries.push({
      header: { name: entry.header.name },
      bytes: await buffer(entry as AsyncIterable<Buffer>),
    });
  }
  return entries;
}

/** Makers of files in a folder, which may be made later than this is called. */
export function archiveMaker(folder: () => string) {
  let number = 0;
  const newPath = () => join(folder(), `${++number}.stbackup`);

  async function write(records: SnapshotRecord[]): Promise<string> {
    const path = newPath();
    const file = await open(path, 'wx+');
    try {
      await writeArchive(
        file,
        {
          records: inBatches(records),
          adapter: 'memory',
          productVersion: '1.2.3',
          createdAt: 1_790_000_000_000,
        },
        { clock: systemClock, signal: never, onRecords: () => undefined },
      );
    } finally {
      await file.close();
    }
    return path;
  }

  async function place(bytes: Uint8Array): Promise<string> {
    const path = newPath();
    await writeFile(path, bytes);
    return path;
  }

  async function repack(entries: Entry[]): Promise<string> {
    const packer = pack();
    for (const { header, bytes } of entries) packer.entry(header, bytes);
    packer.finalize();
    return place(await buffer(packer as AsyncIterable<Buffer>));
  }

  /** An archive that is right in all its sums, whatever its lines say: what somebody would forge who knows the format. */
  async function forge(
    lines: string[][],
    change: (manifest: Omit<Manifest, 'checksum'>) => object = (manifest) => manifest,
    extra: { before?: Entry[]; after?: Entry[] } = {},
  ): Promise<string> {
    const parts = lines.map((part) => Buffer.from(part.map((line) => `${line}\n`).join('')));
    const packed = parts.map((plain) => zstdCompressSync(plain));
    const records = lines.flat();
    const names = packed.map((_, i) => `parts/${String(i + 1).padStart(6, '0')}.ndjson.zst`);
    const documents: Record<string, number> = {};
    const logs: Record<string, number> = {};
    for (const line of records) {
      const { kind, collection, log } = JSON.parse(line);
      if (kind === 'document') documents[collection] = (documents[collection] ?? 0) + 1;
      if (kind === 'entry') logs[log.split('/')[0]] = (logs[log.split('/')[0]] ?? 0) + 1;
    }
    const manifest = change({
      format: 'smalltalk-backup',
      formatVersion: 1,
      productVersion: '1.2.3',
      adapter: 'memory',
      createdAt: 1_790_000_000_000,
      counts: { records: records.length, documents, logs },
      parts: packed.map((bytes, i) => ({
        name: names[i] as string,
        bytes: bytes.byteLength,
        uncompressedBytes: parts[i]?.byteLength ?? 0,
        records: lines[i]?.length ?? 0,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      })),
      logicalHash: createHash('sha256').update(Buffer.concat(parts)).digest('hex'),
    });
    return repack([
      ...(extra.before ?? []),
      ...packed.map((bytes, i) => ({ header: { name: names[i] as string }, bytes })),
      {
        header: { name: 'manifest.json' },
        bytes: Buffer.from(encodeManifest(manifest as Omit<Manifest, 'checksum'>)),
      },
      ...(extra.after ?? []),
    ]);
  }

  return { newPath, write, place, repack, forge };
}
