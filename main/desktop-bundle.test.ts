import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAMS } from '../runtime/base/program.ts';

const ROOT = join(import.meta.dirname, '..');
/** Inside node_modules, so that what is not bundled (better-sqlite3) is found from there as it is in the app. */
const OUTPUT = join(ROOT, 'node_modules', '.cache', `desktop-bundle-${process.pid}`);

beforeAll(async () => {
  await build({
    configFile: join(ROOT, 'vite.config.ts'),
    mode: 'desktop',
    logLevel: 'error',
    build: { outDir: OUTPUT },
  });
  writeFileSync(join(OUTPUT, 'package.json'), '{"type":"module"}');
}, 60_000);
afterAll(() => rmSync(OUTPUT, { recursive: true, force: true }));

/** Every file that an entry imports, statically or not, and the packages outside of the bundle that it needs. */
function importsOf(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const code = readFileSync(join(OUTPUT, file), 'utf8');
    for (const [, specifier] of code.matchAll(
      /(?:^import|^export|\bfrom|\bimport\()\s*["']([^"'\n]+)["']/gm,
    )) {
      if (specifier === undefined || specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier));
      else packages.add(specifier);
    }
  };
  visit(entry);
  return { files, packages };
}

describe('the desktop bundle', () => {
  it('has the main entry and every separate program', () => {
    expect(existsSync(join(OUTPUT, 'index.js'))).toBe(true);
    const programs = readdirSync(join(OUTPUT, 'programs'))
      .filter((file) => file.endsWith('.js'))
      .sort();
    expect(programs).toEqual(
      Object.keys(PROGRAMS)
        .map((name) => `${name}.js`)
        .sort(),
    );
  });

  it.each(Object.keys(PROGRAMS))('starts %s without the main process in it', (name) => {
    const { files, packages } = importsOf(join('programs', `${name}.js`));
    expect([...files]).not.toContain('index.js');
    expect([...packages]).not.toContain('electron');
  });
});
