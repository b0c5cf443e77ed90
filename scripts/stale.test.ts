import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type BuiltPart, hashSources, isStale, markBuilt } from './stale.ts';

const part: BuiltPart = {
  output: 'dist',
  sources: ['source/**/*.*', 'config.json'],
  ignored: ['**/*.test.ts'],
};

let root: string;
const write = (file: string, content: string) => {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), content);
};
const build = () => {
  write('dist/index.js', 'built');
  markBuilt(root, part, hashSources(root, part));
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stale-'));
  write('source/index.ts', 'one');
  write('source/deep/part.ts', 'two');
  write('config.json', '{}');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('is stale before the first build and fresh after it', () => {
  expect(isStale(root, part)).toBe(true);
  build();
  expect(isStale(root, part)).toBe(false);
});

it.each([
  ['a source changed', () => write('source/deep/part.ts', 'three')],
  ['a source came', () => write('source/deep/more.ts', '')],
  ['a source went', () => rmSync(join(root, 'source/deep/part.ts'))],
  [
    'a source was renamed',
    () => {
      rmSync(join(root, 'source/deep/part.ts'));
      write('source/deep/port.ts', 'two');
    },
  ],
  ['the configuration changed', () => write('config.json', '{"a":1}')],
  ['the output is gone', () => rmSync(join(root, 'dist'), { recursive: true })],
])('is stale when %s', (_what, change) => {
  build();
  change();
  expect(isStale(root, part)).toBe(true);
});

it('stays fresh when a test changed, or only a time', () => {
  build();
  write('source/index.test.ts', 'test');
  utimesSync(join(root, 'source/index.ts'), new Date(), new Date());
  expect(isStale(root, part)).toBe(false);
});

it('is stale when a source changed while it was being built', () => {
  const before = hashSources(root, part);
  write('source/index.ts', 'changed meanwhile');
  write('dist/index.js', 'built');
  markBuilt(root, part, before);
  expect(isStale(root, part)).toBe(true);
});
