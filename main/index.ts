/** The desktop app, in the order in which it starts. */
import { join } from 'node:path';
import { app, shell } from 'electron';
import { createAssets, PRODUCT_NAME } from '../runtime/index.ts';
import { registerAppScheme, serveAppScheme } from './app-scheme.ts';
import { createEmbeddedRuntime } from './embedded-runtime.ts';
import { createFetchBridge } from './fetch-bridge.ts';
import { openLogFile } from './log-file.ts';
import { installMenu } from './menu.ts';
import { createQuit } from './quit.ts';
import { createRuntimeHost } from './runtime-host.ts';
import { systemProtection } from './secrets.ts';
import { enforceSecurity } from './security.ts';
import { showStartFailures } from './start-failure.ts';
import { createConsoleWindow } from './window.ts';

/** A stop that takes longer is given up: the storage is safe at every moment. */
const STOP_GRACE_MS = 15_000;

registerAppScheme();
enforceSecurity();

// A second start of the app shows the window of the first, which holds the data folder.
if (app.requestSingleInstanceLock()) run();
else app.quit();

function run(): void {
  const userData = app.getPath('userData');
  const dataDir = process.env.DATA_DIR || process.env.STORAGE_PATH || join(userData, 'data');

  const log = openLogFile(join(userData, 'logs', 'console.log'));
  const complain = (error: unknown) => log.write(`${String((error as Error).stack ?? error)}\n`);

  const host = createRuntimeHost({
    create: () =>
      createEmbeddedRuntime({
        env: process.env,
        dataDir,
        writeLog: log.write,
        secretProtection: systemProtection(),
      }),
    graceMs: STOP_GRACE_MS,
    onStopError: complain,
  });
  const bridge = createFetchBridge({
    runtimeFetch: host.fetch,
    assets: createAssets({ folder: join(app.getAppPath(), 'dist', 'renderer') }),
    onError: complain,
  });
  const window = createConsoleWindow({
    title: PRODUCT_NAME,
    stateFile: join(userData, 'window.json'),
    // `scripts/start.ts` waits for this line.
    onShown: () => process.stdout.write(`${PRODUCT_NAME} is open.\n`),
  });
  const quit = createQuit({
    async stop() {
      window.close();
      const result = await host.stop();
      log.close();
      return result;
    },
    exit: (code) => app.exit(code),
  });

  app.on('before-quit', quit.onBeforeQuit);
  app.on('second-instance', window.show);
  app.on('activate', window.show);
  app.on('window-all-closed', () => {
    // On macOS an app stays until it is quit; and closing the window is part of a quit under way.
    if (process.platform !== 'darwin' && !quit.underway) app.quit();
  });

  app.whenReady().then(() => {
    const failures = { failure: () => host.failure, start: host.start, dataDir };
    serveAppScheme(showStartFailures(bridge, failures));
    installMenu({ showWindow: window.show, openDataFolder: () => void shell.openPath(dataDir) });
    // The page loads while the runtime starts; should that fail, it is loaded again and says so.
    window.show();
    host.start().catch((error: unknown) => {
      complain(error);
      window.reload();
    });
  }, complain);
}
