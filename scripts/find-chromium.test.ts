import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findChromium } from './find-chromium.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'find-chromium-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, mode: number): string {
  const file = join(folder, name);
  writeFileSync(file, '');
  chmodSync(file, mode);
  return file;
}

it('takes CHROMIUM_PATH as it is', () => {
  const environment = { CHROMIUM_PATH: '/not/there', PATH: folder };
  program('chromium', 0o755);
  expect(findChromium(environment, 'linux')).toBe('/not/there');
});

it('finds the first known browser on the PATH that can be executed', () => {
  program('chromium', 0o644);
  const chrome = program('google-chrome', 0o755);
  const environment = { PATH: ['/nowhere', '', folder].join(delimiter) };
  expect(findChromium(environment, 'linux')).toBe(chrome);
});

it('says when there is none', () => {
  expect(findChromium({ PATH: folder }, 'linux')).toBeUndefined();
});
