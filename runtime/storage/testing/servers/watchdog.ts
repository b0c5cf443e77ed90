import { spawn } from 'node:child_process';

/**
 * Waits for the end of its input, which the system closes when the process that started it ends, however it ends. Then it
 * asks the server to end, kills within 2 s whatever of it is left (a server that is hung goes on with SIGCONT first), and
 * removes its folder; twice, as what was being killed may just have made a file.
 */
const SCRIPT = `
read -r ignored
tree() { for one in "$@"; do echo "$one"; tree $(cat "/proc/$one/task/$one/children" 2>/dev/null); done; }
all=$(tree "$1")
kill -CONT $all 2>/dev/null
kill -"$3" "$1" 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.2; done
kill -KILL $all 2>/dev/null
rm -rf "$2" || rm -rf "$2"
`;

/**
 * Ends a server and removes its folder when this process ends without having done so: killed, interrupted, crashed.
 * Returns what calls it off.
 */
export function watchServer(pid: number, folder: string, endSignal: NodeJS.Signals): () => void {
  const args = ['-c', SCRIPT, 'server-watchdog', String(pid), folder, endSignal.replace(/^SIG/, '')];
  const dog = spawn('/bin/sh', args, {
    // A group of its own: Ctrl-C in a terminal ends the test's group, and must not end its watchdog before it has bitten.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  dog.unref();
  dog.on('error', (error) => {
    throw new Error('The watchdog of a test server cannot be started.', { cause: error });
  });
  // The type of a child's pipe says less than what it is: a socket.
  (dog.stdin as unknown as { unref(): void }).unref();
  dog.stdin.on('error', () => undefined);
  return () => dog.kill('SIGKILL');
}
