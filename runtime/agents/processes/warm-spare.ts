import type { Readable } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { programPath } from '../../base/program.ts';
import type { LaunchCommand } from '../setup/agent-launch.ts';
import { MARK_VARIABLE } from './agent-mark.ts';
import type { LaunchedProcess } from './launcher.ts';
import { signalGroup } from './signal-group.ts';
import { BECOMING, type BecomeRequest, READY } from './spare-words.ts';

/** The agent id of a process that is no agent's yet. */
export const SPARE_ID = '-spare';
/** A spare is prepared when nothing was launched for so long: it must not be in the way of those that are needed now. */
const CALM_MS = 200;
/** A spare that does not come up, or dies while it waits, so many times in a row is given up. */
const MAX_FAILURES = 3;
/** A spare that does not say in this time that it becomes an agent is not waited for. */
const BECOMING_TIMEOUT_MS = 1000;
const SECRET_NAME = /key|token|secret|passw|credential/i;

export interface WarmSpareOptions {
  clock: Clock;
  logger: Logger;
  /** Starts a process that belongs to {@link SPARE_ID}. */
  start: (command: Pick<LaunchCommand, 'command' | 'args' | 'cwd' | 'env'>) => Promise<LaunchedProcess>;
}

/**
 * Keeps one process ready that can become any of the built-in agents. What it costs is one process of about 10 MB; what it
 * spares is most of the time in which an agent that crashed is not there.
 */
export class WarmSpare {
  readonly #options: WarmSpareOptions;
  #ready: LaunchedProcess | undefined;
  #starting: Promise<void> | undefined;
  #calm: Timer | undefined;
  #failures = 0;
  #isStopped = false;
  /** What the next one is made of: a launch shows how built-in agents are started here. */
  #pattern: LaunchCommand | undefined;

  constructor(options: WarmSpareOptions) {
    this.#options = options;
  }

  /** The id of the process that waits, if one does. */
  get pid(): number | undefined {
    return this.#ready?.pid;
  }

  /** Somebody launches something: a spare is prepared when it has been calm again for a while. */
  noticeLaunch(command: LaunchCommand): void {
    if (command.builtin !== undefined) this.#pattern = command;
    this.#prepareSoon();
  }

  /** The spare, which is the given agent now. Undefined when none is ready, or when it was not to be had after all. */
  async take(command: LaunchCommand): Promise<LaunchedProcess | undefined> {
    const spare = this.#ready;
    if (spare === undefined || command.builtin === undefined) return undefined;
    this.#ready = undefined;
    const { program, args } = command.builtin;
    const request: BecomeRequest = { program, args, env: command.env, cwd: command.cwd };
    const late = Promise.withResolvers<false>();
    const timer = this.#options.clock.after(BECOMING_TIMEOUT_MS, () => late.resolve(false));
    spare.stdin.write(`${JSON.stringify(request)}\n`);
    const becomes = await Promise.race([says(spare, BECOMING), late.promise]);
    timer.cancel();
    if (becomes) return spare;
    this.#options.logger.warn('The warm spare did not become an agent', { pid: spare.pid });
    await discard(spare);
    return undefined;
  }

  /** No spare is prepared any more, and the one that waits ends. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#calm?.cancel();
    await this.#starting;
    const spare = this.#ready;
    this.#ready = undefined;
    if (spare !== undefined) await discard(spare);
  }

  #prepareSoon(): void {
    this.#calm?.cancel();
    if (this.#isStopped || this.#pattern === undefined) return;
    this.#calm = this.#options.clock.after(CALM_MS, () => {
      if (this.#ready !== undefined || this.#failures >= MAX_FAILURES) return;
      this.#starting ??= this.#prepare().finally(() => {
        this.#starting = undefined;
      });
    });
  }

  async #prepare(): Promise<void> {
    const { logger, start } = this.#options;
    const { command, args, cwd, env, secrets, builtin } = this.#pattern as LaunchCommand;
    try {
      const spare = await start({
        command,
        // The options of Node.js stand before the program, those of the program behind it.
        args: [...args.slice(0, -1 - (builtin?.args.length ?? 0)), programPath('agent-spare')],
        cwd,
        env: withoutSecrets(env, secrets),
      });
      for (const stream of [spare.stdin, spare.stdout, spare.stderr]) stream.on('error', () => undefined);
      if (!(await says(spare, READY))) throw new Error('It did not get ready');
      this.#ready = spare;
      this.#failures = 0;
      void spare.exited.then(() => this.#lost(spare));
    } catch (error) {
      this.#failures += 1;
      logger.warn('A warm spare could not be prepared', { error: messageOf(error) });
      this.#prepareSoon();
    }
  }

  #lost(spare: LaunchedProcess): void {
    if (this.#ready !== spare) return;
    this.#ready = undefined;
    this.#failures += 1;
    for (const stream of [spare.stdin, spare.stdout, spare.stderr]) stream.destroy();
    this.#prepareSoon();
  }
}

/** It has nothing to lose. Resolves when it is gone. */
async function discard(spare: LaunchedProcess): Promise<void> {
  signalGroup(spare.pid, 'SIGKILL');
  await spare.exited;
  for (const stream of [spare.stdin, spare.stdout, spare.stderr]) stream.destroy();
}

/** Whether these are the next bytes on its stdout, before it ends; nothing behind them is read. */
function says({ stdout, exited }: LaunchedProcess, words: string): Promise<boolean> {
  return Promise.race([reads(stdout, words), exited.then(() => false)]);
}

function reads(stdout: Readable, words: string): Promise<boolean> {
  return new Promise((resolve) => {
    const onReadable = () => {
      const bytes: Buffer | null = stdout.read(words.length);
      if (bytes === null) return;
      stdout.off('readable', onReadable);
      resolve(bytes.toString() === words);
    };
    stdout.on('readable', onReadable);
  });
}

/** What a process may have in its environment that does not know yet for whom it works. */
function withoutSecrets(env: Record<string, string>, secrets: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) =>
        name !== MARK_VARIABLE &&
        !SECRET_NAME.test(name) &&
        !secrets.some((secret) => secret !== '' && value.includes(secret)),
    ),
  );
}
