/** Ends what an earlier run of the app has left behind: nothing else, and nothing of another data folder. */
import { rmSync } from 'node:fs';
import { extname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isOwnerAlive, MARK_VARIABLE, type Mark, type Owner, parseMark } from './agent-mark.ts';
import { type FoundLedger, type LauncherIdentity, readLedgers } from './process-ledger.ts';
import { listEnvironmentValues, listProcesses, type ProcessFacts } from './process-table.ts';
import { signalGroup } from './signal-group.ts';

/** How often to look whether killed processes are gone, and for how long in all. */
const CHECK_MS = 5;
const LIMIT_MS = 10_000;

export interface Reaped {
  agentId: string;
  generation: number;
  pid: number;
}

interface Orphan extends Reaped {
  start: string;
  group: number;
}

export interface ReapOptions {
  ledgerFolder: string;
  /** That of the data folder. */
  digest: string;
  /** The runtime on whose behalf: what an earlier launcher of the same runtime left is an orphan as well. */
  owner: Owner;
}

/**
 * Kills every process of this data folder whose runtime does not live any more, and resolves when all are gone: those that
 * a ledger names, if the process with that id is still the one that was meant, with their groups; and those that bear the
 * mark; and the launchers themselves, which would do the same. Names of each generation one process, the leader where it is among them; and what could not be ended in 10 s.
 */
export async function reap(options: ReapOptions): Promise<{ reaped: Reaped[]; left: number[] }> {
  const reaped = new Map<string, Reaped>();
  /** What was killed, by process id, with its start. */
  const killed = new Map<number, string>();
  const deadline = performance.now() + LIMIT_MS;
  // Anew until there is none: what is being killed may have started another one meanwhile.
  for (;;) {
    const table = new Map(listProcesses().map((facts) => [facts.pid, facts]));
    const ledgers = ownLedgers(options);
    const orphans = findOrphans(options, ledgers, table);
    for (const { agentId, generation, pid, group } of orphans) {
      const key = `${agentId}:${generation}`;
      if (!reaped.has(key) || group === pid) reaped.set(key, { agentId, generation, pid });
      for (const member of group === pid ? membersOf(pid, table) : [pid]) {
        killed.set(member, table.get(member)?.start ?? '');
      }
      if (group === pid) signalGroup(pid, 'SIGKILL');
      else killOne(pid);
    }
    for (const { pid, start } of formerLaunchers(ledgers, table)) {
      killed.set(pid, start);
      killOne(pid);
    }
    // One that is about to be gone has no mark any more by which it would be found.
    const left = [...killed].flatMap(([pid, start]) => (table.get(pid)?.start === start ? [pid] : []));
    if (left.length === 0) break;
    // One that waits for a disk that does not answer cannot be ended, and must not keep the others from starting.
    if (performance.now() > deadline) return { reaped: [...reaped.values()], left };
    await pause(CHECK_MS);
  }
  for (const { file } of ownLedgers(options)) {
    rmSync(file, { force: true });
    // Where the launcher that wrote it was listening.
    rmSync(file.slice(0, -extname(file).length), { recursive: true, force: true });
  }
  return { reaped: [...reaped.values()], left: [] };
}

/** All but those of other runtimes that are alive. */
function ownLedgers({ ledgerFolder, owner: own }: ReapOptions): FoundLedger[] {
  return readLedgers(ledgerFolder).filter(({ owner }) => owner === undefined || !isForeign(owner, own));
}

function findOrphans(
  options: ReapOptions,
  ledgers: readonly FoundLedger[],
  table: ReadonlyMap<number, ProcessFacts>,
): Orphan[] {
  const orphans = new Map<number, Orphan>();
  for (const { running } of ledgers) {
    for (const { pid, start, agentId, generation } of running) {
      const facts = table.get(pid);
      // Another process may have got the id since then.
      if (facts?.start !== start) continue;
      for (const member of membersOf(pid, table)) {
        orphans.set(member, { ...(table.get(member) as ProcessFacts), agentId, generation });
      }
    }
  }
  for (const { facts, mark } of marked(table, options)) {
    if (!orphans.has(facts.pid)) orphans.set(facts.pid, { ...facts, ...mark });
  }
  return [...orphans.values()];
}

/** A launcher that outlives its runtime ends by itself, but a moment later. */
function formerLaunchers(
  ledgers: readonly FoundLedger[],
  table: ReadonlyMap<number, ProcessFacts>,
): LauncherIdentity[] {
  return ledgers.flatMap(({ launcher }) => {
    if (launcher === undefined || launcher.pid === process.pid) return [];
    return table.get(launcher.pid)?.start === launcher.start ? [launcher] : [];
  });
}

function membersOf(group: number, table: ReadonlyMap<number, ProcessFacts>): number[] {
  return [...table.values()].flatMap((facts) => (facts.group === group ? [facts.pid] : []));
}

function marked(
  table: ReadonlyMap<number, ProcessFacts>,
  { digest, owner }: ReapOptions,
): { facts: ProcessFacts; mark: Mark }[] {
  return listEnvironmentValues(MARK_VARIABLE).flatMap(({ pid, value }) => {
    const facts = table.get(pid);
    const mark = parseMark(value);
    if (facts === undefined || mark === undefined || mark.digest !== digest) return [];
    // A console that an agent has started bears the mark itself, and must not end itself.
    if (pid === process.pid || pid === owner.pid || isForeign(mark.owner, owner)) return [];
    return [{ facts, mark }];
  });
}

/** Belongs to another runtime that is alive (several may share a data folder). */
function isForeign(owner: Owner, own: Owner): boolean {
  return (owner.pid !== own.pid || owner.start !== own.start) && isOwnerAlive(owner);
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone, or belongs to another user and is none of ours.
  }
}
