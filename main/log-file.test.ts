import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLogFile } from './log-file.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-file-'));
  path = join(folder, 'logs', 'console.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('appends across openings, in a file that only the user can read', () => {
  for (const line of ['one\n', 'two\n']) {
    const log = openLogFile(path);
    log.write(line);
    log.close();
  }
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('keeps one older file and no line in halves', () => {
  const log = openLogFile(path, 25);
  for (let number = 1; number <= 9; number++) log.write(`line number ${number}\n`);
  log.close();
  expect(readdirSync(join(folder, 'logs')).sort()).toEqual(['console.log', 'console.log.1']);
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('line number 8\n');
  expect(readFileSync(path, 'utf8')).toBe('line number 9\n');
});

it('writes a line that is larger than the bound all the same', () => {
  const log = openLogFile(path, 4);
  log.write('much too long\n');
  log.close();
  expect(readFileSync(path, 'utf8')).toBe('much too long\n');
});

it('stops nothing when it cannot be written', () => {
  writeFileSync(join(folder, 'logs'), 'a file where the folder should be');
  const log = openLogFile(path);
  expect(() => log.write('lost\n')).not.toThrow();
  log.close();
});
