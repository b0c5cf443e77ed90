import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Why no library of ours can be put under a process here, if so. */
export function preloadMissing(): string | undefined {
  if (process.platform !== 'linux') return 'what is put under a process by LD_PRELOAD needs Linux';
  const found = spawnSync('cc', ['--version']);
  return found.status === 0 ? undefined : 'there is no C compiler (on Debian: apt install gcc libc6-dev)';
}

/** Compiles one of the C files beside this one into `folder`; answers the path for LD_PRELOAD. Throws what cc says. */
export function compilePreload(name: 'power-cut' | 'failing-calls', folder: string): string {
  const library = join(folder, `${name}.so`);
  const source = join(import.meta.dirname, `${name}.c`);
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];
  const compiled = spawnSync('cc', [...flags, '-o', library, source, '-ldl', '-pthread'], {
    encoding: 'utf8',
  });
  if (compiled.status !== 0) throw new Error(`cc ${name}.c: ${compiled.error?.message ?? compiled.stderr}`);
  return library;
}
