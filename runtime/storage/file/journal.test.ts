import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { quickFolder } from '../testing/quick-folder.ts';
import { FileStorage } from './file-storage.ts';
import { FrameBuffer, type JournalCommit, readFrames } from './journal-frames.ts';

function commits(count: number): JournalCommit[] {
  return Array.from({ length: count }, (_, i): JournalCommit => {
    const text = `ä😀 ${'x'.repeat(i * 7)}`;
    return {
      serial: i + 1,
      ...(i % 2 === 0 ? { named: { writer: 'w', number: i + 1, at: 5, answer: [1, i] } } : {}),
      changes: [
        {
          kind: 'put',
          collection: 'sessions',
          id: `id ${i}`,
          version: i + 1,
          fields: '{"n":1}',
          expiresAt: i % 2 === 0 ? null : 7,
          json: JSON.stringify({ text }),
        },
        { kind: 'append', log: `messages/${i}`, sequence: i + 1, at: 3, json: JSON.stringify(text) },
        { kind: 'trim', log: 'events', through: i, last: i + 1 },
        { kind: 'delete', collection: 'agents', id: '__proto__' },
      ],
    };
  });
}

function framesOf(all: JournalCommit[]): { bytes: Buffer; ends: number[] } {
  const frames = new FrameBuffer();
  const ends = all.map((commit) => {
    frames.add(commit);
    return frames.length;
  });
  return { bytes: Buffer.from(frames.bytes), ends };
}

it('gives back the commits that were written', () => {
  const all = commits(5);
  expect(readFrames(framesOf(all).bytes)).toEqual({ commits: all, tornBytes: 0, damaged: [] });
});

it('gives back the whole commits before any byte at which it was cut, and tells how much was torn', () => {
  const all = commits(3);
  const { bytes, ends } = framesOf(all);
  for (let length = 0; length <= bytes.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    expect(readFrames(bytes.subarray(0, length))).toEqual({
      commits: all.slice(0, whole),
      tornBytes: length - (ends[whole - 1] ?? 0),
      damaged: [],
    });
  }
});

it('finds every flipped bit, and the whole commits around it', () => {
  const all = commits(3);
  const { bytes } = framesOf(all);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    const content = readFrames(flipped);
    expect(content.damaged.length + content.tornBytes).toBeGreaterThan(0);
    expect(content.commits.length).toBeGreaterThanOrEqual(2);
    for (const commit of content.commits) expect(all).toContainEqual(commit);
  }
});

it('takes a write whose middle was damaged for torn when its end is missing, for damaged when it is there', () => {
  const { bytes, ends } = framesOf(commits(3));
  const holed = Buffer.from(bytes);
  holed.fill(0x20, (ends[1] as number) + 20, (ends[1] as number) + 60);
  expect(readFrames(holed, 1)).toMatchObject({ tornBytes: 0, damaged: [{ offset: ends[1] }] });
  holed.fill(0x20, bytes.length - 10);
  expect(readFrames(holed, 1)).toMatchObject({ damaged: [], tornBytes: bytes.length - (ends[1] as number) });
});

const SECTOR = 512;

it('leaves out all that is behind a sector of the last group that never reached the disk', () => {
  const all = commits(12);
  const first = framesOf(all.slice(0, 4));
  const last = framesOf(all.slice(4));
  const bytes = Buffer.concat([first.bytes, last.bytes]);
  const ends = [...first.ends, ...last.ends.map((end) => first.bytes.length + end)];
  let holes = 0;
  for (let from = 0; from < bytes.length; from += SECTOR) {
    // The sector in which the last group begins has the synced end of the group before.
    const hole = Math.max(from, first.bytes.length);
    const to = Math.min(from + SECTOR, bytes.length);
    if (to <= hole) continue;
    holes += 1;
    const holed = Buffer.from(bytes).fill(0, hole, to);
    const { commits: found, tornBytes, damaged } = readFrames(holed, 1);
    // A commit of which only the end mark is missing may be there: it is whole, and nothing is missing before it.
    expect(found).toEqual(all.slice(0, found.length));
    expect(found.length).toBeGreaterThanOrEqual(ends.filter((end) => end <= hole).length);
    expect(found.length).toBeLessThanOrEqual(ends.filter((end) => end - 4 <= hole).length);
    expect(damaged).toEqual([]);
    expect(tornBytes).toBeGreaterThan(0);
  }
  expect(holes).toBeGreaterThan(2);
});

it('tells sectors of zeros where everything had been synced, and goes on behind them', () => {
  const all = commits(12);
  const first = framesOf(all.slice(0, 6)).bytes;
  const second = framesOf(all.slice(6)).bytes;
  const holed = Buffer.concat([first, second]).fill(0, 0, SECTOR);
  for (const content of [readFrames(holed, 1), readFrames(holed)]) {
    expect(content).toMatchObject({ tornBytes: 0, damaged: [{ offset: 0 }] });
    expect(content.commits).toEqual(all.slice(-content.commits.length));
    expect(content.commits.length).toBeGreaterThanOrEqual(6);
  }
  // In a file that is followed by another, that is so of the last group, too.
  const ofLast = Buffer.concat([first, second]).fill(0, first.length, first.length + SECTOR);
  expect(readFrames(ofLast)).toMatchObject({ tornBytes: 0, damaged: [{ offset: first.length }] });
  expect(readFrames(ofLast, 1)).toMatchObject({ commits: all.slice(0, 6), damaged: [] });
});

it('refuses a journal of an older form that holds something, changes nothing, and takes one that is empty', async () => {
  const folder = await mkdtemp(join(quickFolder(), 'storage-older-journal-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const storage = new FileStorage({ folder });
  onTestFinished(() => storage.close());
  await storage.open();
  await storage.commit([{ kind: 'put', collection: 'documents', id: 'a', value: 1 }]);
  await storage.close();
  const segment = join(folder, 'journal', '0000000000000002.journal');
  await writeFile(segment, 'STJ1 and what the older version wrote');
  for (let start = 0; start < 2; start++) {
    await expect(storage.open()).rejects.toMatchObject({
      code: 'storage.failed',
      message: expect.stringContaining(`${segment} was written by an older version`),
    });
  }
  expect(await readFile(segment, 'latin1')).toBe('STJ1 and what the older version wrote');
  expect(await readdir(folder)).not.toContain('damaged');

  await writeFile(segment, '');
  await storage.open();
  expect(await storage.get('documents', 'a')).toMatchObject({ version: 1, value: 1 });
});
