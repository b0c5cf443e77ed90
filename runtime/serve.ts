/** The headless process: its commands; settings, runtime, listeners, the address, and the stop on signals. */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { isCoded, messageOf } from './base/errors.ts';
import { fault } from './contract/index.ts';
import { createAssets } from './http/assets.ts';
import { type Listener, listen } from './http/listen.ts';
import { loadOrCreateToken } from './http/token-store.ts';
import { createRuntime, PRODUCT_NAME, type Runtime, readSettings, type Settings } from './index.ts';
import type { SettingFault } from './settings/load-settings.ts';

const EXIT_FAILED = 1;
/** Settings or arguments that cannot be gone by. */
const EXIT_BAD_SETTINGS = 2;
/** A stop that takes longer than this is given up: the storage is safe at every moment. */
const STOP_GRACE_MS = 15_000;

/**
 * Writes at once and as a whole, so that nothing is lost when the process ends right after. Whoever read it may be gone
 * (EPIPE) or be too slow (EAGAIN): then it is lost, because a log that fails must not fail the requests that it tells of.
 */
function write(descriptor: 1 | 2, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch {
    // There is nowhere left to say it.
  }
}
const say = (line: string) => write(1, `${line}\n`);
const complain = (line: string) => write(2, `${line}\n`);

/** Says what is wrong in words, a line a fault, and ends the process. */
function giveUp(error: unknown): never {
  if (isCoded(error, 'settings.invalid')) {
    const faults = (error.data.faults ?? []) as SettingFault[];
    for (const fault of faults) complain(fault.message);
    if (faults.length === 0) complain(error.message);
    process.exit(EXIT_BAD_SETTINGS);
  }
  complain(isCoded(error) ? `${error.message} (${error.code})` : `It could not start: ${messageOf(error)}`);
  process.exit(EXIT_FAILED);
}

async function authOf(settings: Settings) {
  const { bindAddress, enableCors } = settings;
  if (settings.auth === 'none') return { mode: 'none' as const, bindAddress, enableCors };
  const token = await loadOrCreateToken(settings.dataDir, settings.apiToken);
  return { mode: 'token' as const, token, bindAddress, enableCors };
}

/** Stops once for the first signal, also while it is still starting; a second one does not wait. */
function stopOnSignals(runtime: Runtime, close: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    runtime.logger.info('Stopping', { signal });
    setTimeout(() => {
      complain(`The stop took longer than ${STOP_GRACE_MS / 1000} s and was given up.`);
      process.exit(EXIT_FAILED);
    }, STOP_GRACE_MS).unref();
    runtime
      .stop()
      .then(close)
      .then(
        () => process.exit(0),
        (error: unknown) => giveUp(error),
      );
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onSignal);
}

const USAGE = `Usage: npm run serve [-- COMMAND]

Without a command SmallTalk Console starts and serves its console until it is stopped.

Commands
  move --to TARGET    moves all data to another storage; “move --help” says more
  --help              this text
`;

/** Does what the arguments say, without any starts the product; ends the process, in words, when that is not possible. */
export async function run(args: string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === undefined) return serve();
  if (command === '--help' || command === '-h' || command === 'help') return say(USAGE.trimEnd());
  if (command === 'move') return move(rest);
  return misused(`“${command}” is not a command.`, '--help');
}

async function move(args: string[]): Promise<void> {
  const { MOVE_USAGE, moveOffline, readMoveArguments, UsageError } = await import('./move-command.ts');
  try {
    const choice = readMoveArguments(args);
    if (choice === undefined) return say(MOVE_USAGE.trimEnd());
    const stop = new AbortController();
    const onSignal = () => stop.abort(fault('job.cancelled', 'The move was cancelled. Nothing was changed.'));
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    await moveOffline({ env: process.env, choice, signal: stop.signal, say });
  } catch (error) {
    if (error instanceof UsageError) return misused(error.message, 'move --help');
    // A choice that does not fit the settings, such as an address that is missing.
    if (isCoded(error, 'request.invalid')) return misused(error.message, 'move --help');
    giveUp(error);
  }
}

/** `help` is the command whose help says what is possible. */
function misused(message: string, help: string): never {
  complain(`${message} What is possible: npm run serve -- ${help}`);
  process.exit(EXIT_BAD_SETTINGS);
}

/** Starts the product and resolves when the console can be used; ends the process, in words, when that is not possible. */
function serve(): Promise<void> {
  return start().catch(giveUp);
}

async function start(): Promise<void> {
  const settings = await readSettings({ env: process.env });
  const auth = await authOf(settings);
  const runtime = await createRuntime({
    settings,
    mode: 'headless',
    auth,
    writeLog: (line) => write(2, line),
    assets: createAssets({
      folder: join(import.meta.dirname, '..', 'dist', 'renderer'),
      compression: settings.enableCompression,
    }),
  });
  const listeners: Listener[] = [];
  // Before the start, because that starts agents already, and nobody else would end them.
  stopOnSignals(runtime, async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
  });
  await runtime.start();
  const { appPort: port, bindAddress: host } = settings;
  const console = await listen({ fetch: runtime.fetch, port, host, setting: 'APP_PORT' }).catch(
    async (error: unknown) => {
      await runtime.stop();
      throw error;
    },
  );
  listeners.push(console);
  const health = await runtime.openHealthListener();
  if (health !== undefined) listeners.push(health);
  const address = `http://${isIpv6(host) ? `[${host}]` : host}:${console.port}/`;
  say(`${PRODUCT_NAME} is ready at ${auth.mode === 'token' ? `${address}?token=${auth.token}` : address}`);
  if (health !== undefined) say(`Health and metrics are at http://${host}:${health.port}/health`);
  say(`The data lies in ${settings.dataDir}. Press Ctrl+C to stop.`);
}

function isIpv6(host: string): boolean {
  return host.includes(':');
}
