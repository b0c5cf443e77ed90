/** How often to look whether npm is still there; each look costs nothing. */
const PARENT_CHECK_MS = 500;

/**
 * Calls `end` with each signal that tells this process to end, and instead of ending by default it lives until its work
 * is done. Under npm also when npm is gone: it hands SIGTERM to its shell only, which dies without a word to us.
 */
export function onEnd(end: (signal: NodeJS.Signals) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(signal));
  if (process.env.npm_lifecycle_event === undefined || process.platform === 'win32') return;
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    end('SIGTERM');
  }, PARENT_CHECK_MS).unref();
}

/**
 * True for what a terminal sends to the whole group at once (Ctrl-C, closing it): a child has it already, and would take
 * a second one for "at once".
 */
export function sentByTerminal(signal: NodeJS.Signals): boolean {
  return process.stdin.isTTY === true && (signal === 'SIGINT' || signal === 'SIGHUP');
}
