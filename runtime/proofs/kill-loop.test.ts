import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultSeed, seededRandom } from '../storage/faults/seeded-random.ts';
import { killLoop } from './kill-loop.ts';
import { echoLaunch, startWholeRuntime } from './whole-runtime.ts';

/** `KILL_CYCLES=200` for a long run. */
const CYCLES = Number(process.env.KILL_CYCLES ?? 25);
/** A kill, the back-off of up to two seconds, and the prompts around it. */
const LONGEST_CYCLE_MS = 15_000;

describe.runIf(process.platform !== 'win32')(
  `an agent that is killed ${CYCLES} times at random moments`,
  () => {
    it.each([
      { name: 'knows its sessions by the kept turns', store: false, known: 'primed' },
      { name: 'resumes its sessions', store: true, known: 'resumed' },
    ])(
      'loses no message and doubles none: one that $name',
      { timeout: CYCLES * LONGEST_CYCLE_MS },
      async ({ store, known }) => {
        const folder = await mkdtemp(join(tmpdir(), 'smalltalk-kills-'));
        const seed = faultSeed();
        await using runtime = await startWholeRuntime(join(folder, 'data'), {
          AGENT_STATE_MESSAGE_HISTORY: '1000',
        });
        const report = await killLoop({
          runtime,
          launch: echoLaunch('--delay-ms', '10', ...(store ? ['--store', join(folder, 'sessions')] : [])),
          cycles: CYCLES,
          random: seededRandom(seed),
        });
        const { problems, cycles, ...figures } = report;
        expect(problems, `FAULT_SEED=${seed}, ${folder}`).toEqual([]);
        expect(cycles).toHaveLength(CYCLES);
        // Kills that hit nothing, and people who never click twice, would prove nothing.
        expect(figures.turns.interrupted).toBeGreaterThan(CYCLES / 2);
        expect(figures.turns.completed).toBeGreaterThan(CYCLES);
        expect(figures.refusedTwice).toBeGreaterThan(CYCLES / 4);
        expect(figures.knownBy[known]).toBeGreaterThan(CYCLES / 4);
        if (process.env.KILL_CYCLES !== undefined) {
          const times = cycles.map(({ servedAgainMs }) => servedAgainMs).sort((a, b) => a - b);
          const at = (share: number) => times[Math.floor(times.length * share)];
          process.stdout.write(
            `${known}: ${JSON.stringify({ seed, ...figures, p50: at(0.5), p95: at(0.95), max: at(1 - 1e-9) })}\n`,
          );
        }
        await runtime[Symbol.asyncDispose]();
        await rm(folder, { recursive: true });
      },
    );
  },
);
