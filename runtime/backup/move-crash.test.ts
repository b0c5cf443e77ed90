/** Kills a real process over real SQLite at every step of a move, and looks at what the next one finds. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentHash, fill, temporaryFolder } from './backup.fixture.ts';
import { createMoveRig, type MoveRig, openPlace } from './move.fixture.ts';

const PROGRAM = fileURLToPath(new URL('./move-child.fixture.ts', import.meta.url));
const SESSIONS = 600;

let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;
let hash: string;

beforeEach(async () => {
  temporary = await temporaryFolder();
  dataDir = join(temporary.path, 'data');
  hash = await withRig(async (rig) => {
    await fill(rig.storage, SESSIONS);
    return contentHash(rig.storage);
  });
});

afterEach(() => temporary.remove());

async function withRig<T>(work: (rig: MoveRig) => Promise<T>): Promise<T> {
  const rig = await createMoveRig({ dataDir });
  try {
    return await work(rig);
  } finally {
    await rig.close();
  }
}

/** Moves in another process, which is killed at a step, or a time after it; answers the steps that it came to. */
async function killAt(type: string, step: string, after?: { ms: number }): Promise<string[]> {
  const args = [PROGRAM, dataDir, type, ...(after === undefined ? [step] : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints += chunk;
  });
  const steps: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    steps.push(line);
    if ((after !== undefined && line === step) || line === 'succeeded') {
      setTimeout(() => child.kill('SIGKILL'), after?.ms ?? 0);
    }
  }
  expect((await exited)[1], complaints).toBe('SIGKILL');
  return steps;
}

/** What must hold after any kill; answers which of the two is in force. */
async function lookAfter(killed: string): Promise<'source' | 'target'> {
  return withRig(async (rig) => {
    const found = rig.settings().storage.type === 'sqlite' ? 'source' : 'target';
    expect(await contentHash(rig.storage), `killed at ${killed}: the ${found}, whole`).toBe(hash);
    expect((await rig.jobs.list())[0]).toMatchObject({
      kind: 'move',
      state: found === 'source' ? 'interrupted' : 'succeeded',
    });
    if (found === 'target') {
      const source = await openPlace(dataDir, 'sqlite');
      expect(await contentHash(source), 'the source, untouched').toBe(hash);
      await source.close();
    }
    return found;
  });
}

describe('a process that is killed in a move', () => {
  const STEPS: [string, 'source' | 'target'][] = [
    ['Opening the target', 'source'],
    ['Looking through the source', 'source'],
    ['Pausing', 'source'],
    ['Copying', 'source'],
    ['Verifying', 'source'],
    ['Switching', 'source'],
    // The target is active in itself by then, and nobody reads it yet.
    ['adopt', 'source'],
    ['adopted', 'target'],
  ];
  for (const [step, inForce] of STEPS) {
    it(`at “${step}” leaves the ${inForce} in force, and the next move goes through`, async () => {
      expect((await killAt('file', step)).at(-1)).toBe(step);
      expect(await lookAfter(step)).toBe(inForce);
      await moveOn(inForce);
    }, 30_000);
  }

  it('after the switch in the target does not count its copy as what the target held before', async () => {
    const target = await openPlace(dataDir, 'file');
    await fill(target, 3, 'of somebody else');
    await target.close();
    for (const _ of [1, 2]) await killAt('file', 'adopt');
    await withRig(async (rig) => {
      expect(await rig.move({ type: 'file' })).toMatchObject({
        state: 'succeeded',
        result: { keptPrevious: true },
      });
      expect(await contentHash(rig.storage)).toBe(hash);
      const generations = await rig.storage.generations.list();
      const active = generations.find((one) => one.active);
      await rig.storage.generations.activate(active?.previous ?? '');
      // The counters of logs have moved on; the documents are those of before.
      expect((await rig.storage.stats()).documents.sessions).toBe(3);
      expect(await rig.storage.get('sessions', 'session-000000')).toMatchObject({
        value: { text: 'of somebody else' },
      });
    });
  }, 30_000);

  it('at any moment leaves the one or the other', async () => {
    const found = new Set<string>();
    for (const step of ['Copying', 'Verifying', 'Switching', 'adopt', 'adopted']) {
      const ms = Math.floor(Math.random() * (step === 'Copying' || step === 'Verifying' ? 60 : 10));
      const current = await withRig(async (rig) => rig.settings().storage.type);
      const steps = await killAt(current === 'sqlite' ? 'file' : 'sqlite', step, { ms });
      const after = await withRig(async (rig) => {
        expect(await contentHash(rig.storage), `killed ${ms} ms after ${steps}`).toBe(hash);
        expect((await rig.storage.generations.list()).length).toBeLessThanOrEqual(2);
        return rig.settings().storage.type;
      });
      if (steps.includes('adopted')) expect(after).not.toBe(current);
      if (!steps.includes('adopt')) expect(after).toBe(current);
      found.add(after === current ? 'old' : 'new');
    }
    expect(found).toContain('new');
  }, 60_000);
});

/** The next attempt, or the way back, is not hindered by what was left behind, and clears it away. */
async function moveOn(inForce: 'source' | 'target'): Promise<void> {
  await withRig(async (rig) => {
    expect(await rig.move({ type: inForce === 'source' ? 'file' : 'sqlite' })).toMatchObject({
      state: 'succeeded',
    });
    expect(await contentHash(rig.storage)).toBe(hash);
    expect((await rig.storage.generations.list()).length).toBeLessThanOrEqual(2);
  });
}
