import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStorage } from '../../open-storage.ts';
import type { Storage, StorageFault } from '../../storage.ts';

export interface CrashCycle {
  cycle: number;
  /** Whether the writer was killed while it wrote, or from its first instruction on: while it opened its data. */
  during: 'writing' | 'start';
  /** Milliseconds from there to the kill. */
  killedAfterMs: number;
  /** Commits that were acknowledged in this cycle. */
  acknowledged: number;
  /** Milliseconds that it took to open the data again. */
  reopenMs: number;
}

/** What was found wrong; an empty list is the only good one. */
export interface CrashReport {
  cycles: CrashCycle[];
  acknowledged: number;
  problems: string[];
}

/**
 * Kills a writer with SIGKILL at random moments, opens the data again after each, and compares it with what had been
 * acknowledged: every acknowledged record must be there, no commit may be half there, no number used twice.
 */
export async function crashLoop(options: {
  dataDir: string;
  cycles: number;
  /** From 0 up to but not including 1. */
  random: () => number;
  /** The longest that a writer may write, in milliseconds; how long it does is random. */
  longestMs: number;
  onCycle?: (cycle: CrashCycle, problems: string[]) => void;
}): Promise<CrashReport> {
  const acknowledged = new Map<string, number>();
  const report: CrashReport = { cycles: [], acknowledged: 0, problems: [] };
  for (let cycle = 1; cycle <= options.cycles; cycle++) {
    const during = cycle % 4 === 1 ? 'start' : 'writing';
    const waitMs = Math.floor(options.random() * options.longestMs);
    const written = await writeAndKill(options.dataDir, cycle, { during, waitMs }, acknowledged);
    const begun = performance.now();
    const faults: StorageFault[] = [];
    const storage = await openStorage({
      type: 'sqlite',
      dataDir: options.dataDir,
      onFault: (fault) => faults.push(fault),
    });
    const reopenMs = performance.now() - begun;
    const problems = await verify(storage, acknowledged);
    await storage.close();
    problems.push(...faults.map(({ message }) => message));
    const done: CrashCycle = { cycle, during, killedAfterMs: waitMs, acknowledged: written, reopenMs };
    report.cycles.push(done);
    report.acknowledged += written;
    report.problems.push(...problems.map((problem) => `cycle ${cycle}: ${problem}`));
    options.onCycle?.(done, problems);
  }
  return report;
}

/** Starts a writer, kills it when its time has come, and notes what was acknowledged to it until then. */
async function writeAndKill(
  dataDir: string,
  cycle: number,
  { during, waitMs }: { during: CrashCycle['during']; waitMs: number },
  acknowledged: Map<string, number>,
): Promise<number> {
  const noteFile = join(dataDir, 'acknowledged');
  await writeFile(noteFile, '');
  const writer = spawn(
    process.execPath,
    [join(import.meta.dirname, 'crash-writer.ts'), dataDir, noteFile, String(cycle)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(writer, 'exit');
  const killLater = () => setTimeout(() => writer.kill('SIGKILL'), waitMs);
  let timer = during === 'start' ? killLater() : undefined;
  writer.stdout.once('data', () => {
    timer ??= killLater();
  });
  const [code, signal] = (await ended) as [number | null, string | null];
  clearTimeout(timer);
  if (signal !== 'SIGKILL') throw new Error(`The writer ended by itself (${code ?? signal}).`);
  const notes = parseNotes(await readFile(noteFile, 'utf8'));
  for (const [session, number] of notes) acknowledged.set(session, number);
  return notes.length;
}

/** The kill may cut the last line short: then it was not noted. */
function parseNotes(text: string): [session: string, number: number][] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line));
}

async function verify(storage: Storage, acknowledged: Map<string, number>): Promise<string[]> {
  const problems: string[] = [];
  const stored = new Map<string, number>();
  const { items } = await storage.list<{ messages: number }>('sessions', { limit: 1000 });
  for (const { id, version, value } of items) {
    stored.set(id, value.messages);
    if (version !== value.messages) {
      problems.push(`${id} is at version ${version}, but says ${value.messages}`);
    }
    problems.push(...(await verifyLog(storage, id, value.messages)));
    const byIndex = await storage.list('sessions', {
      where: [{ field: 'messages', is: value.messages }],
      limit: 1000,
    });
    if (!byIndex.items.some((item) => item.id === id)) problems.push(`${id} is not found by its index field`);
  }
  for (const [id, number] of acknowledged) {
    const there = stored.get(id) ?? 0;
    if (there < number) problems.push(`${id}: message ${number} was acknowledged, ${there} is there`);
  }
  const total = [...stored.values()].reduce((sum, number) => sum + number, 0);
  const [last] = await storage.read('events', { reverse: true, limit: 1 });
  if ((last?.sequence ?? 0) !== total) {
    problems.push(`events has ${last?.sequence ?? 0} entries for ${total} messages`);
  }
  return problems;
}

/** The log must end where its document says, have no gap behind what was trimmed, and hold its own messages. */
async function verifyLog(storage: Storage, id: string, messages: number): Promise<string[]> {
  const entries = await storage.read<{ number: number }>(`messages/${id}`, { limit: 10_000 });
  const problems: string[] = [];
  const trimmed = messages >= 50 ? Math.floor(messages / 50) * 50 - 25 : 0;
  const expected = messages - trimmed;
  if (entries.length !== expected) {
    problems.push(`messages/${id} has ${entries.length} entries, not ${expected}`);
  }
  for (const [i, { sequence, value }] of entries.entries()) {
    if (sequence !== trimmed + i + 1 || value.number !== sequence) {
      problems.push(`messages/${id} has ${value.number} as number ${sequence} at place ${trimmed + i + 1}`);
      break;
    }
  }
  return problems;
}
