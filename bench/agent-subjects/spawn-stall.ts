/** How long the event loop stands still while a process is started by a program that holds a gigabyte. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createAgentProcesses } from '../../runtime/agents/processes/agent-processes.ts';
import { systemClock } from '../../runtime/base/clock.ts';
import { randomId } from '../../runtime/base/ids.ts';
import { silentLogger } from '../../runtime/base/logger.ts';
import type { Times } from './recovery.ts';

const GIGABYTE = 1024 ** 3;
const COMMAND = { command: '/bin/true', args: [], cwd: '/', env: {}, secrets: [] };

/** The longest time between two turns of the event loop until `work` has settled. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let isDone = false;
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isDone = true;
  // The work may have settled before the loop came to its next turn.
  return Math.max(longest, performance.now() - last);
}

/** `direct`: by `child_process.spawn`, as one would do it. */
export async function measureStalls(
  dataDir: string,
  rounds: number,
): Promise<{ direct: Times; ours: Times }> {
  // Written to, so that it is really there.
  const held = Buffer.alloc(GIGABYTE, 1);
  const processes = createAgentProcesses({
    dataDir,
    clock: systemClock,
    logger: silentLogger,
    makeId: randomId,
    keepSpare: false,
  });
  await processes.start();
  const direct: Times = [];
  const ours: Times = [];
  for (let round = 0; round <= rounds; round++) {
    let child: ReturnType<typeof spawn> | undefined;
    direct.push(
      await longestTurn(async () => {
        child = spawn(COMMAND.command, { detached: true });
        await once(child, 'spawn');
      }),
    );
    await once(child as ReturnType<typeof spawn>, 'exit');
    let launched: Awaited<ReturnType<typeof processes.launch>> | undefined;
    ours.push(
      await longestTurn(async () => {
        launched = await processes.launch({
          agentId: 'bench',
          generation: round,
          command: COMMAND,
          redact: (text) => text,
        });
      }),
    );
    await launched?.ended;
  }
  await processes.stop();
  if (held[GIGABYTE - 1] !== 1) throw new Error('The gigabyte was not held');
  return { direct: direct.slice(1), ours: ours.slice(1) };
}
