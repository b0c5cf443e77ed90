/**
 * The program that starts the agents. Starting a process copies the page tables of its parent: 1.4 ms from this small one,
 * and 58 ms, in which nothing else runs, from a runtime that holds 1 GB. It passes no byte on: the runtime connects three
 * sockets for each launch, and they become the standard streams of the process.
 *
 * It outlives the runtime, if that is killed, by the moment that it takes to end all agents. Its one argument is
 * {@link LauncherArguments}.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import { digestOf, formatMark, MARK_VARIABLE } from './agent-mark.ts';
import { GroupMeter } from './group-meter.ts';
import {
  CHANNELS,
  type FromLauncher,
  type LauncherArguments,
  parseChannel,
  type ToLauncher,
} from './launcher-messages.ts';
import { ProcessLedger } from './process-ledger.ts';
import { readProcess } from './process-table.ts';
import { reap } from './reaper.ts';
import { signalGroup } from './signal-group.ts';

/** The agents of a runtime that is gone have so long between SIGTERM and SIGKILL. */
const ORPHAN_GRACE_MS = 1000;
/** A launch whose sockets do not come has failed. */
const SOCKETS_TIMEOUT_MS = 5000;
/** A line that says whose a socket is is shorter than this. */
const MAX_LINE = 40;
/** macOS takes 104 bytes with the zero at the end, Linux 108. */
const MAX_SOCKET_PATH = 103;
const SOCKET_NAME = 's';
const PRIVATE_FOLDER_MODE = 0o700;

type LaunchRequest = Extract<ToLauncher, { kind: 'launch' }>;

/** A launch of which not everything has arrived yet. */
interface Expected {
  request?: LaunchRequest;
  sockets: (Socket | undefined)[];
  timer: NodeJS.Timeout;
}

const { dataDir, ledgerFolder, ledgerName, owner } = JSON.parse(process.argv[2] ?? '') as LauncherArguments;
const digest = digestOf(dataDir);
const expected = new Map<number, Expected>();
/** By launch. */
const running = new Map<number, ChildProcess & { pid: number }>();
const meter = new GroupMeter();
const socketFolder = makeSocketFolder();
let ledger: ProcessLedger | undefined;
let isEnding = false;

/**
 * In the data folder, where nobody tidies up; in the one for temporary files when that path is too long for a socket, or
 * cannot be written to. Nobody else may enter either.
 */
function makeSocketFolder(): string {
  const folder = join(ledgerFolder, ledgerName);
  if (Buffer.byteLength(join(folder, SOCKET_NAME)) <= MAX_SOCKET_PATH) {
    try {
      mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
      return folder;
    } catch {
      // The ledger will say what is wrong with the folder.
    }
  }
  return mkdtempSync(join(tmpdir(), 'smalltalk-'));
}

function tell(message: FromLauncher): void {
  // After the runtime is gone there is nobody to be told.
  if (process.connected) process.send?.(message, () => undefined);
}

/** A ledger that cannot be written is no reason to start no agents: on Linux the mark does without. */
function note(write: () => void): void {
  try {
    write();
  } catch (error) {
    tell({ kind: 'warning', message: `The ledger of the agent processes: ${messageOf(error)}` });
  }
}

function expectedLaunch(launch: number): Expected {
  let entry = expected.get(launch);
  if (entry === undefined) {
    const timer = setTimeout(() => refuse(launch, 'EAGAIN', 'Its streams did not come'), SOCKETS_TIMEOUT_MS);
    entry = { sockets: [], timer };
    expected.set(launch, entry);
  }
  return entry;
}

/** Ends what is expected of a launch; this process then holds nothing of its streams any more. */
function forget(launch: number): void {
  const entry = expected.get(launch);
  expected.delete(launch);
  clearTimeout(entry?.timer);
  for (const socket of entry?.sockets ?? []) socket?.destroy();
}

function refuse(launch: number, code: string | undefined, message: string): void {
  forget(launch);
  tell({ kind: 'refused', launch, ...(code === undefined ? {} : { code }), message });
}

/** The runtime sends nothing behind the line before it was told that the process runs, so that no byte of it is read here. */
function onConnection(socket: Socket): void {
  let line = '';
  socket.on('error', () => undefined);
  socket.setEncoding('latin1').on('data', (text: string) => {
    line += text;
    const end = line.indexOf('\n');
    const named = parseChannel(line.slice(0, end));
    if (end === -1 && line.length < MAX_LINE) return;
    if (named === undefined) return void socket.destroy();
    socket.removeAllListeners('data').pause();
    const entry = expectedLaunch(named.launch);
    entry.sockets[named.channel] = socket;
    startIfComplete(named.launch, entry);
  });
}

function startIfComplete(launch: number, { request, sockets }: Expected): void {
  if (request === undefined || CHANNELS.some((_, channel) => sockets[channel] === undefined)) return;
  const { agentId, generation, command, args, cwd, env } = request;
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      cwd,
      env: { ...env, [MARK_VARIABLE]: formatMark({ digest, agentId, generation, owner }) },
      stdio: sockets as [Socket, Socket, Socket],
      // The leader of a group of its own.
      detached: true,
    });
  } catch (error) {
    refuse(launch, systemCodeOf(error), messageOf(error));
    return;
  }
  child.once('error', (error) => {
    if (child.pid === undefined) refuse(launch, systemCodeOf(error), messageOf(error));
  });
  if (child.pid === undefined) return;
  const { pid } = child;
  running.set(launch, child as ChildProcess & { pid: number });
  meter.add(launch, pid);
  child.once('exit', (code, signal) => onExit(launch, pid, code, signal));
  record(pid, agentId, generation);
  forget(launch);
  tell({ kind: 'started', launch, pid });
}

function record(pid: number, agentId: string, generation: number): void {
  const start = readProcess(pid)?.start;
  // It has ended already, and its exit is about to be told.
  if (start === undefined) return;
  note(() => ledger?.runs({ pid, start, agentId, generation }));
}

function onExit(launch: number, pid: number, code: number | null, signal: string | null): void {
  running.delete(launch);
  meter.remove(launch);
  // The leader is gone; what it started in its group must not outlive it. The group keeps its id while it has members.
  signalGroup(pid, 'SIGKILL');
  note(() => ledger?.ended(pid));
  tell({ kind: 'exited', launch, code, signal });
  endIfLeft();
}

function onMessage(message: ToLauncher): void {
  switch (message.kind) {
    case 'launch': {
      const entry = expectedLaunch(message.launch);
      entry.request = message;
      startIfComplete(message.launch, entry);
      return;
    }
    case 'assign': {
      const pid = running.get(message.launch)?.pid;
      if (pid !== undefined) record(pid, message.agentId, message.generation);
      return;
    }
    case 'measure':
      tell({ kind: 'measured', number: message.number, groups: meter.measure() });
  }
}

/** The runtime has closed the channel or is dead: nobody can talk to the agents any more. */
function endAll(): void {
  server.close();
  for (const launch of [...expected.keys()]) forget(launch);
  for (const { pid } of running.values()) {
    signalGroup(pid, 'SIGTERM');
    // A stopped process takes no SIGTERM before it goes on.
    signalGroup(pid, 'SIGCONT');
  }
  setTimeout(() => {
    for (const { pid } of running.values()) signalGroup(pid, 'SIGKILL');
  }, ORPHAN_GRACE_MS).unref();
  endIfLeft();
}

function endIfLeft(): void {
  if (process.connected || running.size > 0 || isEnding) return;
  isEnding = true;
  rmSync(socketFolder, { recursive: true, force: true });
  // What an agent has started and has left its group: it must not run until the next start finds it. This process is in the
  // ledger as well, so that whoever starts meanwhile ends it instead of waiting for it.
  void reap({ ledgerFolder, digest, owner }).then(
    () => {
      note(() => ledger?.remove());
      process.exit();
    },
    () => process.exit(1),
  );
}

const server = createServer({ allowHalfOpen: true }, onConnection);

/** What ends the runtime in order (the interrupt of a terminal reaches both) must not end this before it. */
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

try {
  const { reaped, left } = await reap({ ledgerFolder, digest, owner });
  if (left.length > 0) {
    tell({ kind: 'warning', message: `Processes of an earlier run cannot be ended: ${left.join(', ')}` });
  }
  note(() => {
    ledger = new ProcessLedger(ledgerFolder, ledgerName, owner);
  });
  const socketPath = join(socketFolder, SOCKET_NAME);
  process.on('message', onMessage);
  process.on('disconnect', endAll);
  server.listen(socketPath, () => tell({ kind: 'ready', socketPath, reaped }));
  if (!process.connected) endAll();
} catch (error) {
  rmSync(socketFolder, { recursive: true, force: true });
  process.send?.({ kind: 'failed', message: messageOf(error) } satisfies FromLauncher, () => process.exit(1));
}
