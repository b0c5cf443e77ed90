import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { MakeId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import { type AgentResources, fault } from '../../contract/index.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import type { Owner } from './agent-mark.ts';
import type { GroupMeasure } from './launcher-messages.ts';
import { LauncherLost, LauncherProcess } from './launcher-process.ts';
import type { Reaped } from './reaper.ts';
import type { StartedProcess } from './started-process.ts';

/** A measure is used for so long: the table of processes is walked once for all agents. */
const MEASURE_LIFETIME_MS = 1000;
const LEDGER_NAME_LENGTH = 12;

export interface LauncherOptions {
  dataDir: string;
  ledgerFolder: string;
  owner: Owner;
  clock: Clock;
  logger: Logger;
  makeId: MakeId;
  /** What a launcher found of an earlier one, and has ended. */
  onReaped: (reaped: readonly Reaped[]) => void;
}

interface Measured {
  /** Milliseconds since the Unix epoch, and on the monotonic clock. */
  at: number;
  takenAt: number;
  groups: Record<number, GroupMeasure>;
}

/** A process that was started for nobody in particular may be assigned to an agent later. */
export interface LaunchedProcess extends StartedProcess {
  assign(to: { agentId: string; generation: number }): void;
}

/** Keeps a launcher process running, and starts processes through it. */
export class Launcher {
  readonly #options: LauncherOptions;
  #current: LauncherProcess | undefined;
  #isStopped = true;
  #measuring: Promise<Measured | undefined> | undefined;
  #lastMeasured: Measured | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** The id of the launcher process, while there is one. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  /** Resolves when what an earlier launcher had left behind is gone. Rejects with `agent.start_refused`. */
  async start(): Promise<void> {
    this.#isStopped = false;
    await this.#running().ready;
  }

  /** Ends the launcher, and whatever still runs. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#current?.end();
  }

  /** Rejects like `AgentProcesses.launch`. */
  async launch(
    command: Pick<LaunchCommand, 'command' | 'args' | 'cwd' | 'env'>,
    identity: { agentId: string; generation: number },
  ): Promise<LaunchedProcess> {
    if (this.#isStopped) {
      throw fault('agent.start_refused', 'The agents are being stopped: no process is started any more.');
    }
    const { launcher, launched } = await this.#launch(command, identity);
    const meter = new CpuMeter(this.#options.clock.monotonic());
    return {
      ...launched,
      assign: (to) => launcher.assign(launched.launch, to),
      resources: async () => {
        const measured = await this.#measured(launcher, launched.launch);
        const group = measured?.groups[launched.launch];
        return measured === undefined || group === undefined ? undefined : meter.resources(measured, group);
      },
    };
  }

  async #launch(
    command: Parameters<Launcher['launch']>[0],
    identity: { agentId: string; generation: number },
  ) {
    try {
      const launcher = this.#running();
      return { launcher, launched: await launcher.launch(command, identity) };
    } catch (error) {
      if (!(error instanceof LauncherLost) || this.#isStopped) throw lost(error);
    }
    // What became of the process nobody knows; but the next launcher ends it before it starts another one.
    try {
      const launcher = this.#running();
      return { launcher, launched: await launcher.launch(command, identity) };
    } catch (error) {
      throw lost(error);
    }
  }

  #running(): LauncherProcess {
    if (this.#current !== undefined) return this.#current;
    const { logger, makeId, onReaped, clock, dataDir, ledgerFolder, owner } = this.#options;
    const launcher = new LauncherProcess({
      dataDir,
      ledgerFolder,
      owner,
      ledgerName: makeId(LEDGER_NAME_LENGTH),
      clock,
      logger,
    });
    this.#current = launcher;
    let wasReady = false;
    launcher.ready.then(
      () => {
        wasReady = true;
        onReaped(launcher.reaped);
      },
      (error: unknown) => logger.error('No agent can be started', { error: messageOf(error) }),
    );
    void launcher.ended.then(() => {
      this.#current = undefined;
      if (this.#isStopped) return;
      logger.error('The program that starts the agents has ended, and the agents with it');
      // At once, to end what it may have left. One that does not come up is tried again with the next launch.
      if (wasReady) this.#running();
    });
    return launcher;
  }

  async #measured(launcher: LauncherProcess, launch: number): Promise<Measured | undefined> {
    const { clock } = this.#options;
    const last = this.#lastMeasured;
    // One that is younger than the last measure is not in it.
    if (last?.groups[launch] !== undefined && clock.monotonic() - last.takenAt < MEASURE_LIFETIME_MS)
      return last;
    this.#measuring ??= launcher.measure().then((groups) => {
      this.#measuring = undefined;
      this.#lastMeasured =
        groups === undefined ? undefined : { at: clock.now(), takenAt: clock.monotonic(), groups };
      return this.#lastMeasured;
    });
    return this.#measuring;
  }
}

/** Makes a share of a core out of processor times. */
class CpuMeter {
  #since: { at: number; cpuMs: number };
  #last: { takenAt: number; resources: AgentResources } | undefined;

  /** `startedAt`: on the monotonic clock. */
  constructor(startedAt: number) {
    this.#since = { at: startedAt, cpuMs: 0 };
  }

  resources({ at, takenAt }: Measured, group: GroupMeasure): AgentResources {
    // Asked twice for the same measure, it says the same.
    if (this.#last?.takenAt === takenAt) return this.#last.resources;
    const elapsedMs = Math.max(1, takenAt - this.#since.at);
    const cpuPercent = (Math.max(0, group.cpuMs - this.#since.cpuMs) / elapsedMs) * 100;
    this.#since = { at: takenAt, cpuMs: group.cpuMs };
    const { processes, memoryBytes } = group;
    const resources = { at, processes, memoryBytes, cpuPercent: Math.round(cpuPercent * 10) / 10 };
    this.#last = { takenAt, resources };
    return resources;
  }
}

function lost(error: unknown): unknown {
  return error instanceof LauncherLost
    ? fault('agent.start_refused', 'The program that starts the agents was killed.')
    : error;
}
