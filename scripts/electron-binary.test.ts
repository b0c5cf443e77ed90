import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { installedElectron } from './electron-binary.ts';

let folder: string;
const write = (file: string, content: string) => writeFileSync(join(folder, file), content);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'electron-package-'));
  mkdirSync(join(folder, 'dist'));
  write('package.json', '{"version":"45.4.1"}');
  write('path.txt', 'electron');
  write('dist/version', 'v45.4.1');
  write('dist/electron', '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('finds the binary of a whole installation', () => {
  expect(installedElectron(folder)).toBe(join(folder, 'dist', 'electron'));
});

it.each(['path.txt', 'dist/version', 'dist/electron'])('takes none without %s', (file) => {
  rmSync(join(folder, file));
  expect(installedElectron(folder)).toBeUndefined();
});

it('takes none of another version', () => {
  write('dist/version', 'v44.0.0');
  expect(installedElectron(folder)).toBeUndefined();
});
