/** What a snapshot must be by itself, at any moment of a storm, whatever was acknowledged. */
import type { SnapshotRecord } from '../../storage.ts';

/** More than this of one kind says nothing new. */
const TOLD_AT_MOST = 10;

/** Where numbers are missing in a log, also at its end: the one behind them. */
export function gapsOf(records: readonly SnapshotRecord[]): [log: string, behind: number][] {
  const gaps: [string, number][] = [];
  const { entries, lasts } = byName(records);
  for (const [log, values] of entries) {
    let next: number | undefined;
    for (const sequence of [...values.keys(), (lasts.get(log) ?? 0) + 1]) {
      if (next !== undefined && sequence > next) gaps.push([log, sequence]);
      next = sequence + 1;
    }
  }
  return gaps;
}

/**
 * Whether a snapshot, of whatever moment, is whole: logs have no entry twice, each client's document says what its entries
 * say, counters have counted each version once.
 */
export function snapshotProblems(records: readonly SnapshotRecord[]): string[] {
  const { entries, documents, lasts } = byName(records);
  const problems: string[] = [];
  const own = new Map<string, { count: number; last: number }>();
  for (const [log, values] of entries) {
    const greatest = [...values.keys()].at(-1) ?? 0;
    const counter = lasts.get(log) ?? 0;
    if (greatest > counter) problems.push(`${log} ends with ${greatest}, its counter is at ${counter}`);
    const seen = new Set<string>();
    for (const [sequence, value] of values) {
      if (seen.has(value)) problems.push(`${log} holds ${value} twice, the second time as ${sequence}`);
      seen.add(value);
    }
    if (!log.startsWith('messages/')) continue;
    for (const value of values.values()) {
      if (!value.endsWith('+')) continue;
      const writer = value.slice(0, value.lastIndexOf('.'));
      const number = Number(value.slice(writer.length + 1, -1));
      const { count, last } = own.get(writer) ?? { count: 0, last: 0 };
      own.set(writer, { count: count + 1, last: Math.max(last, number) });
    }
  }
  for (const [writer, { count, last }] of own) {
    const there = documents.get(`own/${writer}`);
    if (there?.version !== count || there.value !== last) {
      problems.push(
        `own/${writer} is ${there?.value} at version ${there?.version}; its ${count} entries end with ${last}`,
      );
    }
  }
  for (const [name, { version, value }] of documents) {
    if (name.startsWith('own/') && !own.has(name.slice(4)))
      problems.push(`${name} is there, none of its entries is`);
    if (name.startsWith('counters/') && value !== version)
      problems.push(`${name}@${version} counts ${value}`);
  }
  return few(problems);
}

/** What is in a snapshot, by the names of documents and logs. */
export function byName(records: readonly SnapshotRecord[]) {
  const entries = new Map<string, Map<number, string>>();
  const documents = new Map<string, { version: number; value: unknown }>();
  const lasts = new Map<string, number>();
  for (const record of records) {
    if (record.kind === 'document') {
      const { collection, id, version, json } = record;
      documents.set(`${collection}/${id}`, { version, value: JSON.parse(json) });
    } else if (record.kind === 'log') lasts.set(record.log, record.lastSequence);
    else {
      const values = entries.get(record.log) ?? new Map<number, string>();
      entries.set(record.log, values.set(record.sequence, JSON.parse(record.json)));
    }
  }
  return { entries, documents, lasts };
}

/** So many that somebody can read them. */
export function few(problems: string[]): string[] {
  if (problems.length <= TOLD_AT_MOST) return problems;
  return [...problems.slice(0, TOLD_AT_MOST), `… and ${problems.length - TOLD_AT_MOST} more like these`];
}
