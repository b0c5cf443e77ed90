/**
 * `npm run dev`: the console with hot reload, in front of the headless runtime, which is started again whenever its
 * sources change. One address for both.
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'vite';
import { onEnd, sentByTerminal } from './end-signals.ts';
import { freePort } from './free-port.ts';
import { readyAddress, startHeadlessProcess } from './headless-process.ts';

const ROOT = join(import.meta.dirname, '..');
/** Editors write in several steps, and a checkout changes many files: one restart for all of it. */
const SETTLE_MS = 150;

const runtimePort = await freePort(Number(process.env.APP_PORT) || 3000);
const healthPort = await freePort(Number(process.env.HEALTH_PORT) || 3001);
// The same token after every restart, or each would sign the open page out.
const token = process.env.API_TOKEN || randomBytes(24).toString('base64url');

process.env.SMALLTALK_API = `http://127.0.0.1:${runtimePort}`;

const server = await createServer({
  configFile: join(ROOT, 'vite.config.ts'),
  clearScreen: false,
  server: { host: '127.0.0.1', port: await freePort(5173), strictPort: true },
});
await server.listen();
const address = `http://127.0.0.1:${server.config.server.port}/?token=${token}`;

let runtime: ChildProcess | undefined;
let announced = false;
let ending = false;

function start(): void {
  const child = startHeadlessProcess({
    env: {
      ...process.env,
      APP_PORT: String(runtimePort),
      HEALTH_PORT: String(healthPort),
      API_TOKEN: token,
    },
    onLine: (line) => {
      if (readyAddress(line) === undefined) return false;
      console.log(announced ? 'The runtime runs again.' : `SmallTalk Console is ready at ${address}`);
      announced = true;
      return true;
    },
  });
  runtime = child;
  child.on('exit', (code, signal) => {
    if (runtime === child) runtime = undefined;
    if (!ending && code !== 0 && signal === null)
      console.log('The runtime ended; it starts again with the next change.');
  });
}

async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const child = runtime;
  if (child === undefined) return;
  const exited = once(child, 'exit');
  if (!sentByTerminal(signal)) child.kill(signal);
  await exited;
}

let restarting = false;
async function restart(): Promise<void> {
  if (restarting) return;
  restarting = true;
  await stop();
  restarting = false;
  if (!ending) start();
}

let settle: NodeJS.Timeout | undefined;
const watcher = watch(join(ROOT, 'runtime'), { recursive: true }, (_event, file) => {
  if (file === null || !file.endsWith('.ts') || /\.(test|contract)\.ts$/.test(file)) return;
  clearTimeout(settle);
  settle = setTimeout(restart, SETTLE_MS);
});

async function end(signal: NodeJS.Signals): Promise<void> {
  if (ending) return;
  ending = true;
  clearTimeout(settle);
  watcher.close();
  await Promise.all([stop(signal), server.close()]);
}
onEnd(end);

start();
