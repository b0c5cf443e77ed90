/** Where the echo agent keeps its sessions with `--store`: a folder with a file of JSON lines for each. */
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KnownTurnEntry, knownTurns } from './serve-stdio.ts';

export class EchoSessionFile {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  /** Makes the file of a new session. */
  create(entries: readonly KnownTurnEntry[]): string {
    const id = `echo-${randomUUID()}`;
    this.append(id, entries);
    return id;
  }

  append(id: string, entries: readonly KnownTurnEntry[]): void {
    // A line begins with its line feed, too: the one before may have been cut off.
    const lines = entries.map((entry) => `\n${JSON.stringify(entry)}\n`);
    appendFileSync(this.#path(id), lines.join(''), { mode: 0o600 });
  }

  /** The entries of a session; undefined when there is none. A line that a kill has cut off is left out. */
  read(id: string): KnownTurnEntry[] | undefined {
    if (!/^echo-[0-9a-f-]{36}$/.test(id)) return undefined;
    try {
      const lines = readFileSync(this.#path(id), 'utf8').split('\n');
      return knownTurns(lines.flatMap(parsed));
    } catch {
      return undefined;
    }
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.ndjson`);
  }
}

function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
