/** All processes of agents that belong to one data folder: how they are started, and that none of them is left. */
import { spawn as nodeSpawn } from 'node:child_process';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { MakeId } from '../../base/ids.ts';
import { lifecycle, type Service } from '../../base/lifecycle.ts';
import type { Logger } from '../../base/logger.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import type { Owner } from './agent-mark.ts';
import { AgentProcess } from './agent-process.ts';
import { Launcher } from './launcher.ts';
import { readProcess } from './process-table.ts';
import type { Reaped } from './reaper.ts';
import { type SpawnProcess, type StartedProcess, spawnDirectly } from './started-process.ts';
import { SPARE_ID, WarmSpare } from './warm-spare.ts';

export interface LaunchOptions {
  agentId: string;
  generation: number;
  command: LaunchCommand;
  redact: (text: string) => string;
}

export interface AgentProcesses extends Service {
  /**
   * What was left behind by an earlier run of the app, or by a launcher that was killed, and has been ended. Complete, as
   * far as earlier runs are concerned, when `start` resolves.
   */
  readonly reaped: readonly Reaped[];
  /**
   * Starts a process in a group of its own, so that whatever it starts can be ended with it. Rejects with
   * `agent.command_not_found`, `agent.command_not_executable`, `agent.working_directory_missing`, `agent.start_refused`
   * (the system has no room, or the launcher does not run: worth another try) or `agent.failed`.
   */
  launch(options: LaunchOptions): Promise<AgentProcess>;
}

export interface AgentProcessesDependencies {
  /** Absolute. */
  dataDir: string;
  clock: Clock;
  logger: Logger;
  makeId: MakeId;
  /**
   * When given, processes are children of this one: there is neither a launcher nor a spare, and nothing is reaped. That is
   * also so on Windows, which has no process groups.
   */
  spawn?: SpawnProcess;
  /** Whether a process is kept ready that can become any built-in agent; default: yes. */
  keepSpare?: boolean;
}

/** How processes come to be. */
interface Starter extends Service {
  start(): Promise<void>;
  launch(options: LaunchOptions): Promise<StartedProcess>;
}

export function createAgentProcesses(dependencies: AgentProcessesDependencies): AgentProcesses {
  const { clock, spawn } = dependencies;
  const running = new Set<AgentProcess>();
  const reaped: Reaped[] = [];
  const isDirect = spawn !== undefined || process.platform === 'win32';
  const starter = isDirect
    ? directStarter(spawn ?? nodeSpawn)
    : launcherStarter(dependencies, (found) => reaped.push(...found));

  return {
    ...lifecycle({
      start: starter.start,
      async stop() {
        await Promise.all([...running].map((left) => left.end()));
        await starter.stop();
      },
    }),

    reaped,

    async launch(options) {
      const launched = new AgentProcess(await starter.launch(options), { clock, redact: options.redact });
      running.add(launched);
      void launched.ended.then(() => running.delete(launched));
      return launched;
    },
  };
}

function directStarter(spawn: SpawnProcess): Starter {
  return {
    start: async () => undefined,
    stop: async () => undefined,
    launch: ({ command }) => spawnDirectly(spawn, command),
  };
}

function launcherStarter(
  { dataDir, clock, makeId, keepSpare = true, ...dependencies }: AgentProcessesDependencies,
  onReaped: (reaped: Reaped[]) => void,
): Starter {
  const logger = dependencies.logger.with({ component: 'agent-processes' });
  const launcher = new Launcher({
    dataDir,
    ledgerFolder: join(dataDir, 'agent-processes'),
    owner: ownIdentity(),
    clock,
    logger,
    makeId,
    onReaped: (found) => onReaped(found.filter(({ agentId }) => agentId !== SPARE_ID)),
  });
  let spare: WarmSpare | undefined;
  return {
    async start() {
      await launcher.start().catch((error: unknown) =>
        // The next launch tries it anew; until then the agents say why they do not run.
        logger.error('The launcher of the agents did not start', { error: messageOf(error) }),
      );
      if (!keepSpare) return;
      spare = new WarmSpare({
        clock,
        logger,
        start: (command) => launcher.launch(command, { agentId: SPARE_ID, generation: 0 }),
      });
    },
    async stop() {
      await spare?.stop();
      await launcher.stop();
    },
    async launch({ agentId, generation, command }) {
      const ready = await spare?.take(command);
      ready?.assign({ agentId, generation });
      const started = ready ?? (await launcher.launch(command, { agentId, generation }));
      spare?.noticeLaunch(command);
      return started;
    },
  };
}

/** This process, so that a later run can tell whether it still lives. */
function ownIdentity(): Owner {
  return { pid: process.pid, start: readProcess(process.pid)?.start ?? '' };
}
