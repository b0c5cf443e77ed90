import { expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { createRedactor } from '../../settings/redact.ts';
import { FrameRecorder } from './frame-recorder.ts';

const frame = (text: string, redact = (told: string) => told) => ({
  generation: 1,
  direction: 'received' as const,
  bytes: Buffer.from(text),
  redact,
});

it('keeps the newest 500 frames, the oldest first', () => {
  const recorder = new FrameRecorder(new VirtualClock());
  for (let i = 1; i <= 1700; i++) recorder.record(frame(`${i}`));
  const frames = recorder.list(0);
  expect(frames).toHaveLength(500);
  expect(frames.map(({ number }) => number)).toEqual(Array.from({ length: 500 }, (_, i) => 1201 + i));
  expect(frames[0]).toMatchObject({ text: '1201', bytes: 4, isError: false });
  expect(recorder.list(1698).map(({ number }) => number)).toEqual([1699, 1700]);
  expect(recorder.list(1700)).toEqual([]);
});

it('keeps no more than 4 MiB', () => {
  const recorder = new FrameRecorder(new VirtualClock());
  for (let i = 1; i <= 1000; i++) recorder.record(frame('x'.repeat(100_000)));
  const frames = recorder.list(0);
  // Of each, 18 KiB are kept.
  expect(frames).toHaveLength(Math.floor((4 * 1024) / 18));
  expect(frames.at(-1)?.number).toBe(1000);
});

it('shows 16 KiB of a frame and how long it was, and never a part of a secret', () => {
  const recorder = new FrameRecorder(new VirtualClock());
  const secret = 'correct horse battery staple '.repeat(20).trim();
  const redact = createRedactor([secret]);
  for (let before = 15_500; before < 18_500; before += 97) {
    recorder.record(frame(`${'-'.repeat(before)}${secret}${'+'.repeat(50_000)}`, redact));
  }
  for (const { text, bytes } of recorder.list(0)) {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16 * 1024);
    expect(text).not.toContain('corr');
    expect(bytes).toBeGreaterThan(60_000);
  }
});

it('cuts between characters', () => {
  const recorder = new FrameRecorder(new VirtualClock());
  recorder.record(frame(`a${'ä'.repeat(8700)}`));
  recorder.record(frame(`a${'ä'.repeat(20_000)}`));
  for (const { text } of recorder.list(0)) {
    expect(text).toMatch(/^aä+$/);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16 * 1024);
  }
});

it('goes on counting over the generations, each with its own secrets', () => {
  const recorder = new FrameRecorder(new VirtualClock());
  recorder.record({ ...frame('first-secret', createRedactor(['first-secret'])), method: 'a', requestId: 1 });
  recorder.record({
    ...frame('second-secret', createRedactor(['second-secret'])),
    generation: 2,
    isError: true,
  });
  expect(recorder.list(0)).toMatchObject([
    { number: 1, generation: 1, text: '•••', method: 'a', requestId: 1 },
    { number: 2, generation: 2, text: '•••', isError: true },
  ]);
});
