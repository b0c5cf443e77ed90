/** Makes the runtime as the desktop app needs it. Imports nothing of Electron. */
import { createRuntime, readSettings, type SecretProtection } from '../runtime/index.ts';
import type { EmbeddedRuntime } from './runtime-host.ts';

export interface DesktopOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Where the data lies when the environment does not say. */
  dataDir: string;
  /** Takes whole log lines, secrets already redacted. */
  writeLog: (line: string) => void;
  secretProtection: SecretProtection | undefined;
}

/**
 * Reads the settings and makes a runtime of them that trusts its one caller, the window. Rejects with
 * `settings.invalid`. The health listener comes and goes with the runtime; a port that is taken does not matter.
 */
export async function createEmbeddedRuntime(options: DesktopOptions): Promise<EmbeddedRuntime> {
  const settings = await readSettings({ env: options.env, dataDir: options.dataDir });
  const runtime = await createRuntime({
    settings,
    mode: 'desktop',
    auth: { mode: 'trusted' },
    writeLog: options.writeLog,
    ...(options.secretProtection === undefined ? {} : { secretProtection: options.secretProtection }),
  });
  let listener: Awaited<ReturnType<typeof runtime.openHealthListener>>;
  return {
    fetch: (request) => runtime.fetch(request),
    async start() {
      await runtime.start();
      listener = await runtime.openHealthListener();
    },
    async stop() {
      await runtime.stop();
      await listener?.close();
    },
  };
}
