/**
 * A runtime that starts agents and then does nothing more, for tests that kill it. Arguments: the data folder, the name of
 * the agent, and its program for the shell. Says the ids of its launcher and of the agent.
 */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { silentLogger } from '../../base/logger.ts';
import { createAgentProcesses } from './agent-processes.ts';

const [dataDir = '', agentId = '', code = ''] = process.argv.slice(2);
const processes = createAgentProcesses({
  dataDir,
  clock: systemClock,
  logger: silentLogger,
  makeId: randomId,
  keepSpare: false,
});
await processes.start();
const [launcher] = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  .split(' ')
  .map(Number);
const launched = await processes.launch({
  agentId,
  generation: 4,
  command: {
    command: '/bin/sh',
    args: ['-c', code],
    cwd: dataDir,
    env: { PATH: process.env.PATH ?? '' },
    secrets: [],
  },
  redact: (text) => text,
});
launched.stdout.once('data', (said: Buffer) => {
  process.stdout.write(
    `${JSON.stringify({ launcher, agent: launched.pid, said: said.toString().trim() })}\n`,
  );
});
