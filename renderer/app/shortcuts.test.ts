import { describe, expect, it } from 'vitest';
import { createShortcutMatcher, type KeyPress, SEQUENCE_MS } from './shortcuts.ts';

const press = (key: string, change: Partial<KeyPress> = {}): KeyPress => ({
  key,
  mod: false,
  alt: false,
  typing: false,
  at: 0,
  ...change,
});

describe('the keys of the frame', () => {
  it('go to a page after g, within the time', () => {
    const match = createShortcutMatcher(['o', 's']);
    expect(match(press('g'))).toBeUndefined();
    expect(match(press('s', { at: SEQUENCE_MS }))).toEqual({ kind: 'go', key: 's' });
    expect(match(press('s'))).toBeUndefined();
    match(press('g', { at: 0 }));
    expect(match(press('s', { at: SEQUENCE_MS + 1 }))).toBeUndefined();
  });

  it('do not take the second key of a sequence for one of its own', () => {
    const match = createShortcutMatcher(['o']);
    match(press('g'));
    expect(match(press('r'))).toBeUndefined();
    expect(match(press('r'))).toEqual({ kind: 'refresh' });
  });

  it('leave what is typed alone, but not Ctrl K and Ctrl B', () => {
    const match = createShortcutMatcher(['o']);
    for (const key of ['?', '/', 'r', 'g', 'o']) expect(match(press(key, { typing: true }))).toBeUndefined();
    expect(match(press('K', { mod: true, typing: true }))).toEqual({ kind: 'palette' });
    expect(match(press('b', { mod: true }))).toEqual({ kind: 'rail' });
  });

  it('leave the keys of the browser alone', () => {
    const match = createShortcutMatcher(['o']);
    expect(match(press('r', { mod: true }))).toBeUndefined();
    expect(match(press('/', { alt: true }))).toBeUndefined();
    match(press('g'));
    expect(match(press('o', { mod: true }))).toBeUndefined();
  });

  it('open the help and the filter', () => {
    const match = createShortcutMatcher([]);
    expect(match(press('?'))).toEqual({ kind: 'help' });
    expect(match(press('/'))).toEqual({ kind: 'filter' });
  });
});
