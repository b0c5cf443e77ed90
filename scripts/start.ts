/**
 * `npm start`: builds what is needed and opens the console, in a window where Electron can run, otherwise headless, with
 * one sentence that says why.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt } from './build.ts';
import { downloadElectron, installedElectron } from './electron-binary.ts';
import { onEnd, sentByTerminal } from './end-signals.ts';
import { freePort } from './free-port.ts';
import { readyAddress, startHeadlessProcess } from './headless-process.ts';
import { openInBrowser } from './open-in-browser.ts';
import { hasDesktop, surroundings, whyItCouldNotStart, whyNoWindow } from './why-no-window.ts';

const ROOT = join(import.meta.dirname, '..');
/** What `main/index.ts` prints when the window can be seen. */
const WINDOW_IS_OPEN = 'SmallTalk Console is open';

const around = surroundings();
/** What is in the foreground now: Electron, or the headless runtime. */
let foreground: ChildProcess | undefined;
onEnd((signal) => {
  if (foreground === undefined) process.exit(1);
  if (!sentByTerminal(signal)) foreground.kill(signal);
});

const reason = await openWindow();
if (reason !== undefined) {
  console.log(`No window: ${reason}; the same console runs headless instead.`);
  await openHeadless();
}

/** Runs the desktop app until it is quit. Answers why that is not possible here, when it is not. */
async function openWindow(): Promise<string | undefined> {
  const impossible = whyNoWindow(around);
  if (impossible !== undefined) return impossible;
  if (installedElectron() === undefined) {
    const failure = await downloadElectron();
    if (failure !== undefined) return `Electron's binary is not here and ${failure}`;
  }
  const executable = installedElectron();
  if (executable === undefined) return "Electron's binary is not complete";
  await ensureBuilt(['renderer', 'desktop']);

  const child = spawn(executable, [ROOT, ...process.argv.slice(2)], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  foreground = child;
  let isOpen = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    isOpen ||= text.includes(WINDOW_IS_OPEN);
    process.stdout.write(text);
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`Electron cannot be started (${error.message})`));
    child.on('exit', (code, signal) => {
      const couldNotStart = isOpen ? undefined : whyItCouldNotStart(code, signal);
      if (couldNotStart === undefined) process.exitCode = code ?? 1;
      resolve(couldNotStart);
    });
  });
}

async function openHeadless(): Promise<void> {
  await ensureBuilt(['renderer']);
  const child = startHeadlessProcess({
    env: await withFreePorts(process.env),
    onLine: (line) => {
      const address = readyAddress(line);
      if (address !== undefined && hasDesktop(around)) openInBrowser(address);
      return false;
    },
  });
  foreground = child;
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

/** A port that nobody asked for by name gives way when it is taken: the address is printed anyway. */
async function withFreePorts(environment: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const ports: NodeJS.ProcessEnv = {};
  if (!environment.APP_PORT && !environment.PORT) ports.APP_PORT = String(await freePort(3000));
  if (!environment.HEALTH_PORT) ports.HEALTH_PORT = String(await freePort(3001));
  return { ...environment, ...ports };
}
