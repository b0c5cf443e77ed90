import { describe, expect, it } from 'vitest';
import type { ProtocolFrame } from '#contract';
import {
  FRAMES_SHOWN,
  framesShown,
  methodsOf,
  newerThan,
  prettyText,
  withAllFrames,
  withFrames,
} from './frame-rows.ts';

let number = 0;

function frame(
  direction: ProtocolFrame['direction'],
  message: object | string,
  change: Partial<ProtocolFrame> = {},
): ProtocolFrame {
  number += 1;
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  const { id, method } = typeof message === 'string' ? {} : (message as { id?: number; method?: string });
  return {
    number,
    at: 0,
    generation: 1,
    direction,
    isError: false,
    bytes: text.length,
    text,
    ...(id !== undefined && { requestId: id }),
    ...(method !== undefined && { method }),
    ...change,
  };
}

const shape = (rows: ReturnType<typeof withFrames>) => rows.map((row) => [row.kind, row.durationMs]);

describe('withFrames', () => {
  it('tells requests, answers, notifications and noise apart, and times an answer', () => {
    const rows = withFrames(
      [],
      [
        frame('sent', { id: 1, method: 'initialize' }, { at: 10 }),
        frame('received', { method: 'session/update', params: {} }),
        frame('noise', 'Loading model…'),
        frame('received', { id: 1, result: {} }, { at: 35, method: 'initialize' }),
      ],
    );
    expect(shape(rows)).toEqual([
      ['request', undefined],
      ['notification', undefined],
      ['noise', undefined],
      ['answer', 25],
    ]);
  });

  it('pairs over two reads, and keeps apart what both sides count with the same number', () => {
    const first = withFrames(
      [],
      [
        frame('sent', { id: 1, method: 'session/prompt' }, { at: 0 }),
        frame('received', { id: 1, method: 'session/request_permission' }, { at: 5 }),
      ],
    );
    const rows = withFrames(first, [
      frame('sent', { id: 1, result: {} }, { at: 9 }),
      frame('received', { id: 1, result: {} }, { at: 20 }),
    ]);
    expect(shape(rows).slice(2)).toEqual([
      ['answer', 4],
      ['answer', 20],
    ]);
  });

  it('does not take the request of another process, or one that was answered already', () => {
    const rows = withFrames(
      [],
      [
        frame('sent', { id: 1, method: 'a' }, { at: 0 }),
        frame('received', { id: 1, result: 0 }, { at: 1 }),
        frame('received', { id: 1, result: 0 }, { at: 2 }),
        frame('sent', { id: 2, method: 'b' }, { at: 3 }),
        frame('received', { id: 2, result: 0 }, { at: 4, generation: 2 }),
      ],
    );
    expect(shape(rows).map(([, duration]) => duration)).toEqual([
      undefined,
      1,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('knows a request by its beginning when it was cut', () => {
    const rows = withFrames(
      [],
      [
        frame('sent', '{"jsonrpc":"2.0","id":7,"method":"session/prompt","params":{"pro', { requestId: 7 }),
        frame('received', '{"jsonrpc":"2.0","id":7,"result":{"method":"no', { requestId: 7, at: 2 }),
      ],
    );
    expect(shape(rows)).toEqual([
      ['request', undefined],
      ['answer', 2],
    ]);
  });

  it('goes on where it was when all is read again, and begins anew when the runtime has', () => {
    const frames = [frame('noise', 'a', { at: 1 }), frame('noise', 'b', { at: 2 })];
    const rows = withFrames([], frames);
    const next = frame('noise', 'c', { at: 3 });
    expect(withAllFrames(rows, [...frames, next]).map((row) => row.frame)).toEqual([...frames, next]);
    const other = frames.map((each) => ({ ...each, at: each.at + 1000 }));
    expect(withAllFrames(rows, other).map((row) => row.frame)).toEqual(other);
    expect(withAllFrames(rows, [])).toEqual([]);
  });

  it('counts what came after the rows that are held', () => {
    const rows = withFrames([], [frame('noise', 'a'), frame('noise', 'b')]);
    const more = withFrames(rows, [frame('noise', 'c')]);
    expect(newerThan(rows, rows)).toBe(0);
    expect(newerThan(more, rows)).toBe(1);
    expect(newerThan(more, [])).toBe(3);
    expect(newerThan(more, withFrames([], [frame('noise', 'x', { at: 9 })]))).toBe(3);
  });

  it('lets the oldest go', () => {
    const many = Array.from({ length: FRAMES_SHOWN + 5 }, () => frame('noise', 'x'));
    const rows = withFrames([], many);
    expect(rows).toHaveLength(FRAMES_SHOWN);
    expect(rows[0]?.frame).toBe(many[5]);
    expect(withFrames(rows, [])).toBe(rows);
  });
});

describe('what is shown', () => {
  const rows = withFrames(
    [],
    [
      frame('sent', { id: 1, method: 'session/prompt', params: { text: 'Hello' } }),
      frame('received', { method: 'session/update' }),
      frame('noise', 'hello from stdout'),
    ],
  );
  const shown = (change: Partial<Parameters<typeof framesShown>[1]>) =>
    framesShown(rows, { direction: undefined, method: undefined, text: '', probes: false, ...change }).map(
      ({ frame: { direction } }) => direction,
    );

  it('stands newest first, filtered by direction, method and text', () => {
    expect(shown({})).toEqual(['noise', 'received', 'sent']);
    expect(shown({ direction: 'received' })).toEqual(['received']);
    expect(shown({ method: 'session/prompt' })).toEqual(['sent']);
    expect(shown({ text: ' HELLO ' })).toEqual(['noise', 'sent']);
    expect(methodsOf(rows)).toEqual(['session/prompt', 'session/update']);
  });

  it('leaves out the probes, unless they are asked for', () => {
    const withProbe = withFrames(rows, [frame('sent', { id: 9, method: '_smalltalk/ping' })]);
    const count = (change: Partial<Parameters<typeof framesShown>[1]>) =>
      framesShown(withProbe, { direction: undefined, method: undefined, text: '', probes: false, ...change })
        .length;
    expect(count({})).toBe(3);
    expect(count({ probes: true })).toBe(4);
    expect(count({ method: '_smalltalk/ping' })).toBe(1);
  });

  it('breaks the lines of JSON, and leaves anything else as it came', () => {
    expect(prettyText(frame('sent', { a: 1 }))).toBe('{\n  "a": 1\n}');
    expect(prettyText(frame('noise', '{ half'))).toBe('{ half');
  });
});
