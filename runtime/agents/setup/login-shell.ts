/** What PATH the user's shell has, told by the shell itself: it is what makes `gemini` a command in the user's terminal. */
import { spawn as nodeSpawn } from 'node:child_process';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import type { MakeId } from '../../base/ids.ts';

/** Start-up files that take longer are not waited for: the app must come up, and launches wait for this. */
const LIMIT_MS = 5000;
/** More than this before the answer is not noise of a start-up file any more. */
const MOST_OUTPUT = 4 * 1024 * 1024;
/** After the group was killed, for the exit to be told. */
const EXIT_GRACE_MS = 1000;
const MARK_LENGTH = 20;

export interface AskLoginShellOptions {
  /** Absolute. */
  shell: string;
  /** What the shell starts with. */
  environment: Readonly<Record<string, string>>;
  clock: Clock;
  makeId: MakeId;
}

export type ShellAnswer = { path: string } | { problem: string };

/**
 * The PATH as the interactive login shell has it after its start-up files. Bounded by 5 s; whatever the start-up files
 * left running in its process group is killed. `problem` says in words why there is no answer.
 */
export async function askLoginShell(options: AskLoginShellOptions): Promise<ShellAnswer> {
  const { clock, shell, makeId } = options;
  const limit = new AbortController();
  const timer = clock.after(LIMIT_MS, () => limit.abort());
  let problem = '';
  try {
    for (const { args, script } of waysToAsk(shell)) {
      const marks = { start: `<${makeId(MARK_LENGTH)}<`, end: `>${makeId(MARK_LENGTH)}>` };
      const answer = await ask(options, [...args, script(marks)], marks, limit.signal);
      if ('path' in answer) return answer;
      problem = answer.problem;
      if (limit.signal.aborted) break;
    }
    return { problem: limit.signal.aborted ? `it did not answer within ${LIMIT_MS / 1000} s` : problem };
  } finally {
    timer.cancel();
  }
}

interface Marks {
  start: string;
  end: string;
}

interface WayToAsk {
  args: string[];
  script: (marks: Marks) => string;
}

const posix = ({ start, end }: Marks) => `printf '%s%s%s' '${start}' "$PATH" '${end}'`;
// In fish, PATH is a list.
const fish = ({ start, end }: Marks) => `printf '%s%s%s' '${start}' (string join -- : $PATH) '${end}'`;
const nu = ({ start, end }: Marks) => `print ('${start}' + ($env.PATH | str join (char esep)) + '${end}')`;

/**
 * The ways to ask a shell, the best first. Interactive, because version managers are set up in the files that only
 * interactive shells read; not interactive when that gave no answer, as with a start-up file that leaves for a
 * terminal multiplexer or that cannot do without a terminal.
 */
function waysToAsk(shell: string): WayToAsk[] {
  switch (basename(shell)) {
    case 'fish':
      return [
        { args: ['-i', '-l', '-c'], script: fish },
        { args: ['-l', '-c'], script: fish },
      ];
    case 'nu':
      return [{ args: ['-l', '-c'], script: nu }];
    case 'csh':
    case 'tcsh':
      // They take -l only when it is alone.
      return [{ args: ['-i', '-c'], script: posix }];
    default:
      return [
        { args: ['-i', '-l', '-c'], script: posix },
        { args: ['-l', '-c'], script: posix },
      ];
  }
}

async function ask(
  { shell, environment, clock }: AskLoginShellOptions,
  args: string[],
  marks: Marks,
  signal: AbortSignal,
): Promise<ShellAnswer> {
  if (signal.aborted) return { problem: 'it was not waited for' };
  const child = nodeSpawn(shell, args, {
    env: environment,
    // No input: a start-up file that asks something reads the end of it. stderr is where a shell complains about that.
    stdio: ['ignore', 'pipe', 'ignore'],
    // A session of its own: an interactive shell that saw our terminal would take it, or be stopped for trying.
    detached: true,
  });
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${messageOf(error)}`));
    child.once('exit', (code, exitSignal) => resolve(`it ended with ${exitSignal ?? `exit code ${code}`}`));
  });
  const aborted = Promise.withResolvers<undefined>();
  const onAbort = () => aborted.resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const path = await Promise.race([readBetween(child.stdout, marks), aborted.promise]);
    if (path === undefined && !signal.aborted)
      return { problem: (await Promise.race([exited, aborted.promise])) ?? '' };
    return path === undefined || path === '' ? { problem: 'it told no PATH' } : { path };
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (child.pid !== undefined) killGroup(child.pid);
    child.stdout.destroy();
    const grace = Promise.withResolvers<void>();
    const timer = clock.after(EXIT_GRACE_MS, grace.resolve);
    await Promise.race([exited, grace.promise]);
    timer.cancel();
  }
}

/** What is written between the marks, as soon as it is there; undefined when the output ended before, or is too long. */
async function readBetween(stdout: Readable, { start, end }: Marks): Promise<string | undefined> {
  let text = '';
  try {
    for await (const chunk of stdout.setEncoding('utf8')) {
      text += chunk;
      const to = text.lastIndexOf(end);
      // The last ones: a shell that echoes its commands shows the marks before it prints them.
      const from = text.lastIndexOf(start, to);
      if (to !== -1 && from !== -1) return text.slice(from + start.length, to);
      if (text.length > MOST_OUTPUT) return undefined;
    }
  } catch {
    // Destroyed, because nobody waits for it any more.
  }
  return undefined;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Gone already; or (macOS, EPERM) only members are left that have ended.
    const code = systemCodeOf(error);
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
