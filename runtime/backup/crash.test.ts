/** Kills a real process over real SQLite in the middle of backups and restores, and looks at what the next one finds. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { openArchive } from './archive-reader.ts';
import { contentHash, createRig, fill, type Rig, temporaryFolder } from './backup.fixture.ts';

const SESSIONS = 1500;
const PROGRAM = fileURLToPath(new URL('./crash-child.fixture.ts', import.meta.url));

let temporary: { path: string; remove: () => Promise<void> };
let dataDir: string;
/** Two data sets with other content under the same names, so that a mixture of the two would show. */
const sets = { one: { id: '', hash: '' }, two: { id: '', hash: '' } };

beforeAll(async () => {
  temporary = await temporaryFolder();
  dataDir = join(temporary.path, 'data');
  const target = await createRig({ type: 'sqlite', dataDir });
  for (const [name, set] of Object.entries(sets)) {
    const source = await createRig({ type: 'memory', dataDir: join(temporary.path, name) });
    await fill(source.storage, SESSIONS, `text of ${name} `.repeat(20));
    const archive = await readFile(join(source.folder, `${await source.backUp()}.stbackup`));
    set.hash = await contentHash(source.storage);
    const stream = new Blob([new Uint8Array(archive)]).stream();
    set.id = (await target.backups.import(stream, new AbortController().signal)).id;
    await source.close();
  }
  await target.succeed(target.backups.restore(sets.one.id, target.context));
  await target.close();
});

afterAll(() => temporary.remove());

/**
 * Starts the program and kills it, `delayMs` after it has come to its n-th phase. Answers the phases that it came to,
 * the last of which is `Done` when it was through by then.
 */
async function killIn(what: string, phase: number, delayMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [PROGRAM, dataDir, what], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, by) => resolve(by)));
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints += chunk;
  });
  const phases: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    phases.push(line);
    if (phases.length === phase || line === 'Done') setTimeout(() => child.kill('SIGKILL'), delayMs);
  }
  expect(await exited, complaints).toBe('SIGKILL');
  return phases;
}

/** Opens what was left behind as the next start of the product does, and checks that all of it is whole. */
async function lookAfter<T>(look: (rig: Rig) => Promise<T>): Promise<T> {
  const rig = await createRig({ type: 'sqlite', dataDir });
  try {
    const files = await readdir(rig.folder);
    expect(files.filter((name) => !name.endsWith('.stbackup'))).toEqual([]);
    for (const backup of (await rig.backups.list()).items) {
      expect(backup).toMatchObject({ state: 'checked' });
      const archive = await openArchive(join(rig.folder, backup.fileName));
      const all = archive.records({ clock: systemClock, signal: new AbortController().signal });
      for await (const _ of all);
      await archive.close();
    }
    expect((await rig.jobs.list()).filter(({ state }) => state === 'running')).toEqual([]);
    expect((await rig.storage.generations.list()).length).toBeLessThanOrEqual(2);
    return await look(rig);
  } finally {
    await rig.close();
  }
}

/** Spread over the phase evenly enough, and another at each run. */
const delays = (count: number, most: number) =>
  Array.from({ length: count }, (_, i) => Math.floor(((i + Math.random()) * most) / count));

describe('a process that is killed', () => {
  it('in a backup leaves the data as it was, and no file that is half a backup', {
    timeout: 120_000,
  }, async () => {
    const reached: string[][] = [];
    for (const [i, delayMs] of delays(6, 150).entries()) {
      reached.push(await killIn('backup', 1 + (i % 2), delayMs));
      await lookAfter(async (rig) => {
        expect(await contentHash(rig.storage), `killed ${delayMs} ms after ${reached.at(-1)}`).toBe(
          sets.one.hash,
        );
        for (const { id, trigger } of (await rig.backups.list()).items) {
          if (trigger === 'manual') await rig.backups.delete(id);
        }
      });
    }
    expect(reached.some((phases) => !phases.includes('Done'))).toBe(true);
  });

  it('in a restore leaves the old data or the new, whole, and an undo that works', {
    timeout: 240_000,
  }, async () => {
    let active: 'one' | 'two' = 'one';
    const outcomes = new Set<string>();
    for (const phase of [1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8]) {
      const other = active === 'one' ? 'two' : 'one';
      const [delayMs = 0] = delays(1, phase >= 7 ? 5 : 60);
      const phases = await killIn(sets[other].id, phase, delayMs);
      const found: 'one' | 'two' = await lookAfter(async (rig) => {
        const hash = await contentHash(rig.storage);
        expect([sets.one.hash, sets.two.hash], `killed ${delayMs} ms after ${phases}`).toContain(hash);
        const now = hash === sets.one.hash ? 'one' : 'two';
        if (phases.includes('Done')) expect(now).toBe(other);
        const { undo, items } = await rig.backups.list();
        // It says of itself what it is: the data, the offer to undo and the job agree.
        expect(undo?.fromBackupId).toBe(sets[now].id);
        const [job] = await rig.jobs.list();
        expect(job).toMatchObject({ kind: 'restore', state: now === active ? 'interrupted' : 'succeeded' });
        for (const { id, trigger } of items) if (trigger === 'before-restore') await rig.backups.delete(id);
        return now;
      });
      outcomes.add(found === active ? 'old' : 'new');
      active = found;
    }
    // The kills were not all too early or all too late to say anything.
    expect([...outcomes].toSorted()).toEqual(['new', 'old']);
    await lookAfter(async (rig) => {
      const before = await contentHash(rig.storage);
      const other = active === 'one' ? sets.two : sets.one;
      await rig.succeed(rig.backups.restore(other.id, rig.context));
      expect(await contentHash(rig.storage)).toBe(other.hash);
      await rig.succeed(rig.backups.undoRestore(rig.context));
      expect(await contentHash(rig.storage)).toBe(before);
    });
  });
});
