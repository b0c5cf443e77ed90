/** Starts the desktop build in Electron, where its binary and a display are at hand. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication, type Page } from '@playwright/test';
import { ensureBuilt } from '../scripts/build.ts';
import { installedElectron } from '../scripts/electron-binary.ts';
import { surroundings, whyNoWindow } from '../scripts/why-no-window.ts';
import type { StartOptions } from './start-headless.ts';

const ROOT = join(import.meta.dirname, '..');

/** Why the desktop build cannot be started here, in words for a skip; undefined when it can. */
export function whyNoElectron(): string | undefined {
  const noWindow = whyNoWindow(surroundings());
  if (installedElectron() === undefined) return "Electron's binary is not installed on this machine";
  return noWindow === undefined ? undefined : `Electron cannot open a window: ${noWindow}`;
}

export interface DesktopProduct {
  readonly dataDir: string;
  readonly logs: string;
  /** The window. */
  page(): Promise<Page>;
  /** Ends the process at once, as a crash does. */
  kill(): Promise<void>;
  /** Quits as a user does. */
  stop(): Promise<void>;
  /** Starts again on the same data; quits first if it runs. */
  restart(): Promise<void>;
  dispose(succeeded: boolean): Promise<void>;
}

/** Resolves when the window is open. Check {@link whyNoElectron} first. */
export async function startElectron(options: StartOptions = {}): Promise<DesktopProduct> {
  const executablePath = installedElectron();
  if (executablePath === undefined) throw new Error("Electron's binary is not installed on this machine");
  await ensureBuilt(['renderer', 'desktop']);
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'smalltalk-e2e-')));
  const profile = await mkdtemp(join(tmpdir(), 'smalltalk-e2e-profile-'));
  let logs = '';
  let running: ElectronApplication | undefined;

  const start = async () => {
    const app = await _electron.launch({
      executablePath,
      args: [ROOT, `--user-data-dir=${profile}`],
      env: { ...(process.env as Record<string, string>), ...options.env, DATA_DIR: dataDir },
    });
    for (const stream of [app.process().stdout, app.process().stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        logs += text;
      });
    }
    await app.firstWindow();
    running = app;
  };

  const stop = async () => {
    const app = running;
    running = undefined;
    await app?.close();
  };

  await start();
  return {
    dataDir,
    get logs() {
      return logs;
    },
    page() {
      if (running === undefined) throw new Error('The product does not run.');
      return running.firstWindow();
    },
    async kill() {
      const app = running;
      running = undefined;
      if (app === undefined) return;
      const closed = app.waitForEvent('close');
      app.process().kill('SIGKILL');
      await closed;
    },
    stop,
    async restart() {
      await stop();
      await start();
    },
    async dispose(succeeded) {
      await stop();
      if (!succeeded) return;
      for (const folder of [dataDir, profile]) await rm(folder, { recursive: true, force: true });
    },
  };
}
