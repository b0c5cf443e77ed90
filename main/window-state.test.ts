import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MINIMUM_SIZE, readWindowState, writeWindowState } from './window-state.ts';

const LAPTOP = { x: 0, y: 0, width: 1920, height: 1040 };
const MONITOR = { x: 1920, y: -200, width: 2560, height: 1440 };
const DEFAULT = { width: 1440, height: 900, maximized: false };

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'window-state-'));
  file = join(folder, 'made', 'window.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writing and reading', () => {
  it('brings back what was written, in a file that only the user can read', () => {
    const state = { width: 1000, height: 700, x: 2000, y: 10, maximized: true };
    writeWindowState(file, state);
    writeWindowState(file, state);
    expect(readWindowState(file, [LAPTOP, MONITOR])).toEqual(state);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'made'))).toEqual(['window.json']);
  });

  it('leaves the old file and no other when it cannot replace it', () => {
    const blocked = join(folder, 'blocked');
    writeWindowState(join(blocked, 'inside.json'), DEFAULT);
    expect(() => writeWindowState(blocked, DEFAULT)).toThrow();
    expect(readdirSync(folder)).toEqual(['blocked']);
    expect(readFileSync(join(blocked, 'inside.json'), 'utf8')).toContain('1440');
  });
});

describe('what cannot be used', () => {
  it.each([
    '',
    '{"width":',
    'null',
    '[]',
    '{"width":"wide","height":700}',
    '{"width":1e99,"height":700}',
    '{"width":1000.5,"height":700}',
  ])('starts with the default for %j', (content) => {
    const damaged = join(folder, 'damaged.json');
    writeFileSync(damaged, content);
    expect(readWindowState(damaged, [LAPTOP])).toEqual(DEFAULT);
  });

  it('starts with the default without a file', () => {
    expect(readWindowState(file, [LAPTOP])).toEqual(DEFAULT);
  });
});

describe("fitting today's displays", () => {
  const read = (state: { width: number; height: number; x?: number; y?: number }, areas = [LAPTOP]) => {
    writeWindowState(file, { ...state, maximized: false });
    return readWindowState(file, areas);
  };

  it('forgets a place on a monitor that is gone', () => {
    const state = { width: 1000, height: 700, x: 2500, y: 100 };
    expect(read(state, [LAPTOP, MONITOR])).toMatchObject({ x: 2500, y: 100 });
    expect(read(state)).toEqual({ width: 1000, height: 700, maximized: false });
  });

  it('forgets a place whose title bar could not be reached', () => {
    expect(read({ width: 1000, height: 700, x: -950, y: 100 })).not.toHaveProperty('x');
    expect(read({ width: 1000, height: 700, x: 100, y: -10 })).not.toHaveProperty('y');
    expect(read({ width: 1000, height: 700, x: 100, y: 1030 })).not.toHaveProperty('y');
    expect(read({ width: 1000, height: 700, x: -800, y: 100 })).toMatchObject({ x: -800, y: 100 });
  });

  it('keeps the size between the minimum and the largest display', () => {
    expect(read({ width: 10, height: 10 })).toMatchObject(MINIMUM_SIZE);
    expect(read({ width: 5000, height: 3000 })).toMatchObject({ width: 1920, height: 1040 });
    expect(read({ width: 5000, height: 3000 }, [])).toMatchObject(MINIMUM_SIZE);
  });
});
