import { join } from 'node:path';

/**
 * The separate programs of the runtime: what does not run in the main thread of the main process. In the source tree
 * each is the file named here, relative to `runtime/`; in a bundle `vite.config.ts` makes each an entry
 * `programs/<name>.js` beside the main entry.
 */
export const PROGRAMS = {
  'sqlite-worker': 'storage/sqlite/sqlite-worker.ts',
  'file-worker': 'storage/file/file-worker.ts',
  'agent-launcher': 'agents/processes/agent-launcher.ts',
  'agent-spare': 'agents/builtin/spare.ts',
  'agent-echo': 'agents/builtin/echo.ts',
  'agent-chat': 'agents/builtin/chat.ts',
} as const;

export type ProgramName = keyof typeof PROGRAMS;

/**
 * The file of a program, in source, bundle and asar alike. The packaged app has the whole bundle unpacked beside its
 * archive (`electron-builder.yml`), because workers and child processes should not depend on reading inside it.
 */
export function programPath(name: ProgramName): string {
  const fromSource = import.meta.filename.endsWith('.ts');
  if (fromSource) return join(import.meta.dirname, '..', PROGRAMS[name]);
  const folder = import.meta.dirname.replace(/\bapp\.asar(?=[\\/])/, 'app.asar.unpacked');
  return join(folder, 'programs', `${name}.js`);
}

/**
 * How to run a program as a child process: this very binary, which in the packaged app is Electron's and then needs
 * `ELECTRON_RUN_AS_NODE`.
 */
export function programCommand(name: ProgramName, args: string[] = []) {
  return {
    command: process.execPath,
    args: [programPath(name), ...args],
    env: process.versions.electron === undefined ? {} : { ELECTRON_RUN_AS_NODE: '1' },
  };
}
