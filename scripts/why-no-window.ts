/** Whether this machine can show Electron's window, as far as that can be known without trying. */
import { existsSync } from 'node:fs';

export interface Surroundings {
  platform: NodeJS.Platform;
  environment: NodeJS.ProcessEnv;
  /** The user id; undefined on Windows. */
  userId: number | undefined;
  inContainer: boolean;
}

export function surroundings(): Surroundings {
  return {
    platform: process.platform,
    environment: process.env,
    userId: process.getuid?.(),
    inContainer: existsSync('/.dockerenv') || existsSync('/run/.containerenv'),
  };
}

/** True when there is something to show a window or a browser on. */
export function hasDesktop({ platform, environment }: Surroundings): boolean {
  if (platform === 'darwin' || platform === 'win32') return environment.SSH_CONNECTION === undefined;
  return Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
}

/** Why there cannot be a window, as the end of a sentence that begins "No window: "; undefined when there can. */
export function whyNoWindow(around: Surroundings): string | undefined {
  if (!hasDesktop(around)) {
    return around.inContainer
      ? 'this is a container without a display'
      : 'this machine has no display that could show one';
  }
  if (around.platform === 'linux' && around.userId === 0) {
    return "this runs as root, which Electron's sandbox refuses";
  }
  return undefined;
}

/**
 * Why Electron ended before it showed anything, for the ends that say that it cannot run here: no program of that
 * kind (126), a system library is missing (127), or it gave itself up at once, as it does without a usable sandbox.
 * Undefined for any other end.
 */
export function whyItCouldNotStart(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (code === 126 || code === 127) return 'a system library that Electron needs is missing here';
  if (signal === 'SIGTRAP' || code === 133) return "Electron's sandbox cannot be used here";
  if (signal === 'SIGABRT' || signal === 'SIGSEGV' || signal === 'SIGILL' || signal === 'SIGBUS') {
    return `Electron cannot run here (it ended with ${signal})`;
  }
  if (code === 134 || code === 139) return `Electron cannot run here (it ended with code ${code})`;
  return undefined;
}
