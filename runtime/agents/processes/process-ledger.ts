/**
 * Which processes a launcher has started and which of them have ended, on disk, so that whoever comes after a launcher that
 * was killed finds what it left. A file for each launcher, in one folder: two of them never write to the same.
 *
 * Lines of JSON. Nothing is synced: what survives the death of our processes is all that is asked for, and a power cut ends
 * the agents, too. The line at the end may be torn.
 */
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Owner } from './agent-mark.ts';
import { readProcess } from './process-table.ts';

const PRIVATE_FILE_MODE = 0o600;
const PRIVATE_FOLDER_MODE = 0o700;
const ENDING = '.ndjson';
/** The file is written anew when it has so many lines of processes that have ended. */
const COMPACT_LINES = 1000;

export interface LedgerEntry {
  pid: number;
  /** As the system tells it; see `ProcessFacts`. */
  start: string;
  agentId: string;
  generation: number;
}

/** The launcher that writes a ledger, as the system tells it. */
export interface LauncherIdentity {
  pid: number;
  start: string;
}

type Line =
  | { kind: 'owner'; owner: Owner; launcher: LauncherIdentity }
  | ({ kind: 'runs' } & LedgerEntry)
  | { kind: 'ended'; pid: number };

export interface FoundLedger {
  file: string;
  /** Undefined when the first line is not readable. */
  owner: Owner | undefined;
  /** Undefined when that line is not readable. */
  launcher: LauncherIdentity | undefined;
  /** What had not ended, by the ledger. */
  running: LedgerEntry[];
}

export class ProcessLedger {
  readonly #file: string;
  readonly #owner: Owner;
  readonly #running = new Map<number, LedgerEntry>();
  #endedLines = 0;

  /** Throws the system error when the file cannot be made. */
  constructor(folder: string, name: string, owner: Owner) {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
    this.#file = join(folder, `${name}${ENDING}`);
    this.#owner = owner;
    this.#rewrite();
  }

  /** A process runs, or belongs to somebody else from now on. Throws the system error when that cannot be written. */
  runs(entry: LedgerEntry): void {
    this.#running.set(entry.pid, entry);
    this.#append({ kind: 'runs', ...entry });
  }

  /** Throws the system error when that cannot be written. */
  ended(pid: number): void {
    if (!this.#running.delete(pid)) return;
    this.#endedLines += 1;
    if (this.#endedLines > COMPACT_LINES) this.#rewrite();
    else this.#append({ kind: 'ended', pid });
  }

  /** Nothing runs any more. */
  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #append(line: Line): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`, { mode: PRIVATE_FILE_MODE });
  }

  #rewrite(): void {
    const { pid } = process;
    const launcher = { pid, start: readProcess(pid)?.start ?? '' };
    const lines: Line[] = [{ kind: 'owner', owner: this.#owner, launcher }];
    for (const entry of this.#running.values()) lines.push({ kind: 'runs', ...entry });
    const temporary = `${this.#file}.tmp`;
    writeFileSync(temporary, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
      mode: PRIVATE_FILE_MODE,
    });
    renameSync(temporary, this.#file);
    this.#endedLines = 0;
  }
}

/** The ledgers in a folder, its own included. What is no line of a ledger is passed over. */
export function readLedgers(folder: string): FoundLedger[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.filter((name) => name.endsWith(ENDING)).map((name) => readLedger(join(folder, name)));
}

function readLedger(file: string): FoundLedger {
  let owner: Owner | undefined;
  let launcher: LauncherIdentity | undefined;
  const running = new Map<number, LedgerEntry>();
  for (const line of linesOf(file)) {
    if (line.kind === 'owner') ({ owner, launcher } = line);
    else if (line.kind === 'runs') running.set(line.pid, line);
    else running.delete(line.pid);
  }
  return { file, owner, launcher, running: [...running.values()] };
}

function linesOf(file: string): Line[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      return isLine(JSON.parse(line)) ? [JSON.parse(line) as Line] : [];
    } catch {
      return [];
    }
  });
}

function isLine(
  value: Partial<Line & LedgerEntry & { owner: Owner; launcher: LauncherIdentity }> | null,
): boolean {
  switch (value?.kind) {
    case 'owner':
      return isIdentity(value.owner) && isIdentity(value.launcher);
    case 'runs':
      return (
        typeof value.pid === 'number' && typeof value.start === 'string' && typeof value.agentId === 'string'
      );
    case 'ended':
      return typeof value.pid === 'number';
    default:
      return false;
  }
}

function isIdentity(value: Partial<Owner> | undefined): boolean {
  return typeof value?.pid === 'number' && typeof value.start === 'string';
}
