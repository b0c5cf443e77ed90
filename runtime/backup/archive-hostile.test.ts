import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archiveMaker, type Entry, LINES, RECORDS, refusal, unpack } from './archive.fixture.ts';
import { readManifest } from './archive-reader.ts';
import { temporaryFolder } from './backup.fixture.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const { newPath, write, place, repack, forge } = archiveMaker(() => folder.path);

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

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
    const { code } = await refusal(path);
    expect(['backup.archive_foreign', 'backup.archive_damaged']).toContain(code);
    await expect(readManifest(path)).rejects.toMatchObject({ code });
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
    const path = newPath();
    await mkdir(path);
    expect((await refusal(path)).code).toBe('backup.archive_foreign');
    const link = newPath();
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
    const path = newPath();
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
