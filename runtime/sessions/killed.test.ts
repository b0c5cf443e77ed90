import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { sessionListQuery } from '../contract/index.ts';
import { openRoom } from './open-room.fixture.ts';

const ROUNDS = 5;
const NOON = Date.UTC(2026, 0, 1, 12);

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sessions-killed-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** Uses the sessions of the folder for so many steps, then kills the process. */
async function runAndKill(seed: number, steps: number): Promise<void> {
  const program = join(import.meta.dirname, 'use-sessions.fixture.ts');
  const child = spawn(process.execPath, [program, dataDir, String(seed), String(NOON)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const exited = once(child, 'exit');
  const complaints: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()));
  let done = 0;
  for await (const chunk of child.stdout) {
    done += (chunk as Buffer).byteLength;
    if (done >= steps) break;
  }
  child.kill('SIGKILL');
  const [, signal] = await exited;
  expect(signal, complaints.join('')).toBe('SIGKILL');
}

test('whenever the app is killed: nothing runs, nothing waits, and every token is counted once', {
  timeout: 60_000,
}, async () => {
  let interrupted = 0;
  let withdrawn = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    await runAndKill(round, 40 + round * 25);
    const room = await openRoom({
      type: 'sqlite',
      dataDir,
      clock: new VirtualClock(NOON),
      settings: { maxConcurrentSessions: 1000 },
    });
    await room.sessions.start();
    const { items: sessions } = await room.sessions.list(sessionListQuery.parse({ limit: 100 }));
    let tokens = 0;
    for (const { id } of sessions) {
      const { status, waitingForYou, usage, turns } = await room.sessions.get(id);
      expect(['idle', 'interrupted', 'failed']).toContain(status);
      expect(waitingForYou).toBe(0);
      expect(turns.filter(({ state }) => state === 'running')).toEqual([]);
      const ofTurns = turns.reduce((sum, turn) => sum + (turn.usage?.inputTokens ?? 0), 0);
      expect(usage.inputTokens, 'the session has what its turns have').toBe(ofTurns);
      tokens += usage.inputTokens;
      interrupted += turns.filter(({ state }) => state === 'interrupted').length;
    }
    expect((await room.budgets.state()).today.tokens, 'the day has what its sessions have').toBe(tokens);
    expect((await room.needsYou.list({ state: 'waiting', limit: 100 })).items).toEqual([]);
    withdrawn += (await room.needsYou.list({ state: 'withdrawn', limit: 100 })).items.length;
    await room.close();
  }
  expect(interrupted, 'the kills came in mid-turn').toBeGreaterThan(0);
  expect(withdrawn).toBeGreaterThan(0);
});
