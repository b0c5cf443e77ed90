import { expect, it } from 'vitest';
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

it('takes a write whose middle never reached the disk for torn when its end is missing, for damaged when it is there', () => {
  const { bytes, ends } = framesOf(commits(3));
  const holed = Buffer.from(bytes);
  holed.fill(0, (ends[1] as number) + 20, (ends[1] as number) + 60);
  expect(readFrames(holed)).toMatchObject({ tornBytes: 0, damaged: [{ offset: ends[1] }] });
  holed.fill(0, bytes.length - 10);
  expect(readFrames(holed)).toMatchObject({ damaged: [], tornBytes: bytes.length - (ends[1] as number) });
});
