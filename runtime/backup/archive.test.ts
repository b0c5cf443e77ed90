import { createHash } from 'node:crypto';
import { mkdir, open, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { extract, type Header, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { isCoded } from '../base/errors.ts';
import type { Manifest } from '../contract/index.ts';
import type { SnapshotRecord } from '../storage/storage.ts';
import { canonicalLine, encodeManifest, PART_TARGET } from './archive-format.ts';
import { type Archive, openArchive, readManifest } from './archive-reader.ts';
import { writeArchive } from './archive-writer.ts';
import { temporaryFolder } from './backup.fixture.ts';
import { LogicalHash } from './logical-hash.ts';

const signal = new AbortController().signal;
let folder: { path: string; remove: () => Promise<void> };
let number = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const RECORDS: SnapshotRecord[] = [
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

async function* inBatches(records: SnapshotRecord[], size = 3) {
  for (let i = 0; i < records.length; i += size) yield records.slice(i, i + size);
}

async function write(records: SnapshotRecord[], options: { signal?: AbortSignal } = {}): Promise<string> {
  const path = join(folder.path, `${++number}.stbackup`);
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
      { clock: systemClock, signal, onRecords: () => undefined, ...options },
    );
  } finally {
    await file.close();
  }
  return path;
}

async function place(bytes: Uint8Array): Promise<string> {
  const path = join(folder.path, `${++number}.stbackup`);
  await writeFile(path, bytes);
  return path;
}

async function readAll(path: string): Promise<{ archive: Archive; records: SnapshotRecord[] }> {
  const archive = await openArchive(path);
  try {
    const records: SnapshotRecord[] = [];
    for await (const batch of archive.records({ clock: systemClock, signal })) records.push(...batch);
    return { archive, records };
  } finally {
    await archive.close();
  }
}

/** What reading all of a file is refused with. */
async function refusal(path: string): Promise<{ code: string; message: string }> {
  try {
    await readAll(path);
  } catch (error) {
    if (isCoded(error)) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'accepted', message: '' };
}

interface Entry {
  header: Partial<Header> & { name: string };
  bytes: Buffer;
}

async function unpack(path: string): Promise<Entry[]> {
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

const LINES = RECORDS.map(canonicalLine);

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
    const path = join(folder.path, `${++number}.stbackup`);
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
    const unaborted = { ...options, signal };
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
    const options = { clock: systemClock, signal, onRecords: () => undefined };
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
});

describe('damage', () => {
  it('is found wherever the file is cut', async () => {
    const bytes = await readFile(await write(RECORDS));
    const path = join(folder.path, `${++number}.stbackup`);
    for (let length = 0; length < bytes.length; length += length % 512 < 2 || length % 512 > 509 ? 1 : 61) {
      await writeFile(path, bytes.subarray(0, length));
      const { code, message } = await refusal(path);
      expect(['backup.archive_damaged', 'backup.archive_foreign'], `cut at ${length}`).toContain(code);
      // From the second block on it is recognised as ours, and said to be incomplete.
      if (length >= 512) expect({ length, code }).toEqual({ length, code: 'backup.archive_damaged' });
      expect(message.length).toBeGreaterThan(20);
      await expect(readManifest(path), `cut at ${length}`).rejects.toMatchObject({ code });
    }
  });

  it('is found wherever something is added', async () => {
    const bytes = await readFile(await write(RECORDS));
    for (const more of [1, 512, 1024, 10_240]) {
      const path = await place(Buffer.concat([bytes, Buffer.alloc(more)]));
      expect(await refusal(path)).toMatchObject({ code: 'backup.archive_damaged' });
    }
  });

  it('is found in every single byte of content', { timeout: 60_000 }, async () => {
    const bytes = await readFile(await write(RECORDS));
    const path = join(folder.path, `${++number}.stbackup`);
    const unnoticed: number[] = [];
    // Of the long stretches of zeroes that pad a tar, every sixteenth byte is enough.
    const isPadding = (at: number) =>
      at % 16 !== 0 && bytes.subarray(at - 16, at + 16).every((byte) => byte === 0);
    for (let at = 0; at < bytes.length; at++) {
      if (at >= 16 && isPadding(at)) continue;
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << ((at * 7) % 8));
      await writeFile(path, changed);
      if ((await refusal(path)).code === 'accepted') unnoticed.push(at);
    }
    // All that may change is how the checksum of a tar header is padded (two bytes in each), which says nothing.
    expect(unnoticed.filter((at) => !isHeaderPadding(bytes, at))).toEqual([]);
  });

  function isHeaderPadding(bytes: Buffer, at: number): boolean {
    const isHeader = bytes.toString('latin1', at - (at % 512) + 257, at - (at % 512) + 262) === 'ustar';
    return isHeader && at % 512 >= 100 && at % 512 < 156;
  }

  it.each([
    ['another checksum of a part', { sha256: '0'.repeat(64) }, /has changed/],
    ['another size of a part', { bytes: 7 }, /7 in its manifest/],
    ['a part that unpacks to less', { uncompressedBytes: 10_000 }, /unpacks to/],
    ['other numbers of records in the parts', { records: 6 }, /records/],
  ])('%s is found', async (_, change, words) => {
    const path = await forge([LINES], (manifest) => ({
      ...manifest,
      parts: manifest.parts.map((part) => ({ ...part, ...change })),
    }));
    const { code, message } = await refusal(path);
    expect(code).toBe('backup.archive_damaged');
    expect(message).toMatch(words);
  });

  it.each([
    ['another logical hash', { logicalHash: '0'.repeat(64) }],
    [
      'other counts',
      { counts: { records: 7, documents: { agents: 2, sessions: 1 }, logs: { messages: 2 } } },
    ],
    [
      'other numbers of records',
      { counts: { records: 8, documents: { agents: 1, sessions: 2 }, logs: { messages: 2 } } },
    ],
    ['a manifest without a field', { adapter: undefined }],
    ['a format version of another kind', { formatVersion: 'one' }],
  ])('%s is found', async (_, change) => {
    const path = await forge([LINES], (manifest) => ({ ...manifest, ...change }));
    expect(await refusal(path)).toMatchObject({ code: 'backup.archive_damaged' });
  });

  it('in a manifest that was edited by hand is found', async () => {
    const entries = await unpack(await write(RECORDS));
    const edited = entries.map((entry) =>
      entry.header.name === 'manifest.json'
        ? { ...entry, bytes: Buffer.from(entry.bytes.toString().replace('"memory"', '"sqlite"')) }
        : entry,
    );
    const { code, message } = await refusal(await repack(edited));
    expect(code).toBe('backup.archive_damaged');
    expect(message).toContain('manifest has changed');
  });

  it.each([
    ['no JSON', '{"kind":'],
    ['not a record', '[]'],
    ['of another kind', '{"kind":"table"}'],
    ['one with more fields', LINES[0]?.replace('{', '{"extra":1,')],
    ['one with fewer fields', '{"kind":"document","collection":"agents","id":"a"}'],
    ['one with a value that is not JSON', LINES[0]?.replace('"{\\"name\\"', '"{name')],
    ['one with a name that leads elsewhere', LINES[0]?.replace('"agents"', '"../agents"')],
    ['one with control characters in its id', LINES[0]?.replace('"echo"', '"e\\u0000o"')],
    ['one written in another order', `{"id":"echo",${LINES[0]?.replace('"id":"echo",', '').slice(1)}`],
    ['a job', LINES[0]?.replace('"agents"', '"jobs"')],
    ['one of version zero', LINES[0]?.replace('"version":3', '"version":0')],
    ['an index field with a name that is none', LINES[0]?.replace('"index":{"name"', '"index":{"na me"')],
  ])('a record that is none is found: %s', async (_, line) => {
    const path = await forge([[LINES[1] as string]], (manifest) => manifest);
    expect((await refusal(path)).code).toBe('accepted');
    expect(line).not.toBe(LINES[0]);
    const plain = Buffer.from(`${line}\n`);
    const packed = zstdCompressSync(plain);
    const forged = await repack([
      { header: { name: 'parts/000001.ndjson.zst' }, bytes: packed },
      {
        header: { name: 'manifest.json' },
        bytes: Buffer.from(
          encodeManifest({
            format: 'smalltalk-backup',
            formatVersion: 1,
            productVersion: '1',
            adapter: 'memory',
            createdAt: 1,
            counts: { records: 1, documents: { agents: 1 }, logs: {} },
            parts: [
              {
                name: 'parts/000001.ndjson.zst',
                bytes: packed.byteLength,
                uncompressedBytes: plain.byteLength,
                records: 1,
                sha256: createHash('sha256').update(packed).digest('hex'),
              },
            ],
            logicalHash: createHash('sha256').update(plain).digest('hex'),
          }),
        ),
      },
    ]);
    expect((await refusal(forged)).code).toBe('backup.archive_damaged');
  });

  it.each([
    ['documents in another order', [1, 0, 2]],
    ['a document twice', [0, 1, 1]],
    ['a document behind a log', [0, 3, 1]],
    ['logs in another order', [4, 3]],
    ['a log twice', [3, 3]],
    ['an entry without its log', [5]],
    ['an entry in another log', [4, 5, 3, 6]],
    ['entries in another order', [4, 6, 5]],
    ['an entry twice', [4, 5, 5]],
  ])('%s: found', async (_, order) => {
    const path = await forge([order.map((i) => LINES[i] as string)]);
    expect(await refusal(path)).toMatchObject({ code: 'backup.archive_damaged' });
  });

  it('in the bytes of a part that is not text is found', async () => {
    const plain = Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a]);
    const packed = zstdCompressSync(plain);
    const path = await forge([[LINES[0] as string]], (manifest) => ({
      ...manifest,
      parts: [
        {
          ...manifest.parts[0],
          bytes: packed.byteLength,
          uncompressedBytes: plain.byteLength,
          sha256: createHash('sha256').update(packed).digest('hex'),
        },
      ],
    }));
    const entries = await unpack(path);
    (entries[0] as Entry).bytes = packed;
    const { code, message } = await refusal(await repack(entries));
    expect(code).toBe('backup.archive_damaged');
    expect(message).toContain('not text');
  });
});

describe('a foreign file', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a few bytes', Buffer.from('hello')],
    ['text', Buffer.from('hello '.repeat(1000))],
    ['zeroes', Buffer.alloc(4096)],
    ['an SQLite file', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8192, 7)])],
    ['random bytes', createHash('shake256', { outputLength: 10_000 }).update('seed').digest()],
  ])('is refused: %s', async (_, bytes) => {
    const path = await place(bytes);
    expect(['backup.archive_foreign', 'backup.archive_damaged']).toContain((await refusal(path)).code);
    await expect(readManifest(path)).rejects.toMatchObject({ code: (await refusal(path)).code });
  });

  it('is refused: a tar of something else', async () => {
    const path = await repack([{ header: { name: 'README.md' }, bytes: Buffer.from('# Hello') }]);
    const { code, message } = await refusal(path);
    expect(code).toBe('backup.archive_foreign');
    expect(message).toContain('README.md');
  });

  it('is refused: a manifest of another program', async () => {
    const path = await repack([
      { header: { name: 'manifest.json' }, bytes: Buffer.from('{"format":"chrome"}') },
    ]);
    expect(await refusal(path)).toMatchObject({ code: 'backup.archive_foreign' });
  });

  it('is refused: a manifest that is no object, no JSON, or not UTF-8', async () => {
    for (const content of ['[]', 'null', '{', '\xff']) {
      const bytes = Buffer.from(content, 'latin1');
      const path = await repack([{ header: { name: 'manifest.json' }, bytes }]);
      expect(await refusal(path)).toMatchObject({ code: 'backup.archive_damaged' });
    }
  });

  it('is refused: a folder, and a link, which is not followed', async () => {
    const path = join(folder.path, `${++number}.stbackup`);
    await mkdir(path);
    expect((await refusal(path)).code).toBe('backup.archive_foreign');
    const link = join(folder.path, `${++number}.stbackup`);
    await symlink(await write(RECORDS), link);
    const { code, message } = await refusal(link);
    expect(code).toBe('backup.archive_foreign');
    expect(message).toContain('link');
  });

  it('is not there', async () => {
    expect(await refusal(join(folder.path, 'nothing'))).toMatchObject({ code: 'backup.not_found' });
  });

  it('from a newer version is named as that, whatever else it holds', async () => {
    const newer = (manifest: object) => ({ ...manifest, formatVersion: 2, encryption: 'age' });
    const extra = { before: [{ header: { name: 'header.age' }, bytes: Buffer.from('x') }] };
    for (const path of [await forge([LINES], newer), await forge([LINES], newer, extra)]) {
      const { code, message } = await refusal(path);
      expect(code).toBe('backup.archive_too_new');
      expect(message).toContain('2');
    }
  });
});

describe('a hostile archive', () => {
  const nothing = Buffer.alloc(0);

  it.each([
    ['a symbolic link', { name: 'parts/000002.ndjson.zst', type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', { name: 'parts/000002.ndjson.zst', type: 'link', linkname: '/etc/passwd' }],
    [
      'a character device',
      { name: 'parts/000002.ndjson.zst', type: 'character-device', devmajor: 1, devminor: 5 },
    ],
    ['a block device', { name: 'parts/000002.ndjson.zst', type: 'block-device' }],
    ['a pipe', { name: 'parts/000002.ndjson.zst', type: 'fifo' }],
    ['a folder', { name: 'parts/', type: 'directory' }],
    ['an absolute path', { name: '/etc/cron.d/evil' }],
    ['a path that leads out', { name: '../../evil' }],
    ['a part in another folder', { name: 'parts/../parts/000001.ndjson.zst' }],
    ['an entry that no archive has', { name: 'evil.sh' }],
    ['a name in another case', { name: 'MANIFEST.JSON' }],
    ['a very long name', { name: `parts/${'x'.repeat(300)}` }],
    ['a name with control characters', { name: 'evil\u001b[2J' }],
  ] satisfies [string, Partial<Header> & { name: string }][])('is refused: with %s', async (_, header) => {
    const entry = { header, bytes: nothing };
    for (const extra of [{ before: [entry] }, { after: [entry] }]) {
      const { code, message } = await refusal(await forge([LINES], undefined, extra));
      expect(['backup.archive_foreign', 'backup.archive_damaged']).toContain(code);
      expect([...message].every((character) => character >= ' ')).toBe(true);
      expect(message.length).toBeLessThan(300);
    }
  });

  it('is refused: with an extended header, which could give the next entry another name or size', async () => {
    const packer = pack();
    packer.entry({ name: 'parts/000001.ndjson.zst', pax: { path: '../evil' } }, 'x');
    packer.finalize();
    const path = await place(await buffer(packer as AsyncIterable<Buffer>));
    expect(await refusal(path)).toMatchObject({ code: 'backup.archive_foreign' });
  });

  it('is refused: with an entry twice', async () => {
    const entries = await unpack(await write(RECORDS));
    const [part, manifest] = entries as [Entry, Entry];
    for (const doubled of [
      [part, part, manifest],
      [part, manifest, manifest],
    ]) {
      const { code, message } = await refusal(await repack(doubled));
      expect(code).toBe('backup.archive_damaged');
      expect(message).toContain('twice');
    }
  });

  it('is refused: with more parts than its manifest, or fewer', async () => {
    const entries = await unpack(await write(RECORDS));
    const [part, manifest] = entries as [Entry, Entry];
    const second = { header: { name: 'parts/000002.ndjson.zst' }, bytes: part.bytes };
    expect((await refusal(await repack([part, second, manifest]))).message).toContain('not in its manifest');
    expect((await refusal(await repack([manifest]))).message).toContain('missing');
  });

  it('is refused: with parts out of order, or the manifest before them', async () => {
    const path = await forge([LINES.slice(0, 3), LINES.slice(3)]);
    const [first, second, manifest] = (await unpack(path)) as [Entry, Entry, Entry];
    expect(await refusal(await repack([second, first, manifest]))).toMatchObject({
      code: 'backup.archive_damaged',
    });
    expect(await refusal(await repack([manifest, first, second]))).toMatchObject({
      code: 'backup.archive_foreign',
    });
  });

  it('is refused: with a size in a header that lies', async () => {
    const bytes = await readFile(await write(RECORDS));
    for (const size of ['00000000001', '77777777777', '-0000000001', '           ', '9999999999a']) {
      const changed = Buffer.from(bytes);
      changed.write(`${size} `, 124, 'latin1');
      sign(changed.subarray(0, 512));
      expect((await refusal(await place(changed))).code, size).not.toBe('accepted');
    }
  });

  /** Gives a header the checksum that its bytes ask for. */
  function sign(header: Buffer): void {
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')} \0`, 148, 'latin1');
  }

  it('is refused: with a part that unpacks to more than it says, without unpacking it', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(200 * 1024 * 1024));
    expect(bomb.byteLength).toBeLessThan(50_000);
    const path = await forge([[LINES[0] as string]], (manifest) => ({
      ...manifest,
      parts: [
        {
          ...manifest.parts[0],
          bytes: bomb.byteLength,
          sha256: createHash('sha256').update(bomb).digest('hex'),
        },
      ],
    }));
    const entries = await unpack(path);
    (entries[0] as Entry).bytes = bomb;
    const before = process.memoryUsage().arrayBuffers;
    const { code, message } = await refusal(await repack(entries));
    expect(code).toBe('backup.archive_too_large');
    expect(message).toContain('unpacks to more');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 * 1024);
  });

  it.each([
    ['one part that would be larger than any', { records: 1, uncompressedBytes: 257 * 1024 * 1024 }],
    ['one shared part that would be larger than any', { records: 7, uncompressedBytes: 17 * 1024 * 1024 }],
  ])('is refused: with %s', async (_, change) => {
    const path = await forge([LINES], (manifest) => ({
      ...manifest,
      counts: { ...manifest.counts, records: change.records },
      parts: manifest.parts.map((part) => ({ ...part, ...change })),
    }));
    expect(await refusal(path)).toMatchObject({ code: 'backup.archive_too_large' });
  });

  it('is refused: with parts that would unpack to far too much together', async () => {
    const one = LINES[0] as string;
    const path = await forge(
      Array.from({ length: 6 }, () => [one]),
      (manifest) => ({
        ...manifest,
        parts: manifest.parts.map((part) => ({ ...part, uncompressedBytes: 250 * 1024 * 1024 })),
      }),
    );
    const { code, message } = await refusal(path);
    expect(code).toBe('backup.archive_too_large');
    expect(message).toContain('no honest archive');
  });

  it('is refused: with a manifest that is larger than any', async () => {
    const path = join(folder.path, `${++number}.stbackup`);
    const packer = pack();
    packer.entry({ name: 'manifest.json' }, Buffer.alloc(25 * 1024 * 1024, ' '));
    packer.finalize();
    await writeFile(path, await buffer(packer as AsyncIterable<Buffer>));
    expect(await refusal(path)).toMatchObject({ code: 'backup.archive_too_large' });
  });

  it('cannot make the walk over its headers endless', async () => {
    const one = Buffer.alloc(512);
    const path = await forge([[LINES[0] as string]]);
    (await readFile(path)).copy(one, 0, 0, 512);
    one.write('00000000000 ', 124, 'latin1');
    sign(one);
    const many = Buffer.alloc(512 * 100_002);
    for (let at = 0; at < many.length; at += 512) one.copy(many, at);
    const hostile = await place(many);
    expect((await stat(hostile)).size).toBeGreaterThan(50_000_000);
    expect((await refusal(hostile)).code).toBe('backup.archive_damaged');
  });
});
