import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EchoSessionFile } from './echo-session-file.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smalltalk-echo-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

it('loses nothing but the line that was cut off', () => {
  const file = new EchoSessionFile(folder);
  const id = file.create([{ role: 'user', text: 'before' }]);
  appendFileSync(join(folder, `${id}.ndjson`), '{"role":"agent","te');
  file.append(id, [{ role: 'user', text: 'after' }]);
  expect(file.read(id)).toEqual([
    { role: 'user', text: 'before' },
    { role: 'user', text: 'after' },
  ]);
});

it('knows no session that it did not make', () => {
  const file = new EchoSessionFile(folder);
  expect(file.read('../../etc/passwd')).toBeUndefined();
  expect(file.read(`echo-${'0'.repeat(36)}`)).toBeUndefined();
});
