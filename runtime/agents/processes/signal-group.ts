import { systemCodeOf } from '../../base/errors.ts';

/**
 * Sends a signal to a process and all of its group. False when it is gone, or when nothing of it is ours to signal. On
 * Windows, which has no groups, the process alone is meant.
 */
export function signalGroup(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, name);
  } catch (error) {
    // EPERM: only members of another user are left, or (macOS) members that have ended already.
    const code = systemCodeOf(error);
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
