import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archiveMaker, type Entry, LINES, RECORDS, refusal, unpack } from './archive.fixture.ts';
import { encodeManifest } from './archive-format.ts';
import { readManifest } from './archive-reader.ts';
import { temporaryFolder } from './backup.fixture.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const { newPath, write, place, repack, forge } = archiveMaker(() => folder.path);

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

describe('damage', () => {
  it('is found wherever the file is cut', async () => {
    const bytes = await readFile(await write(RECORDS));
    const path = newPath();
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
    const path = newPath();
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
