/** What all benchmarks share: how their flags are read, their figures summed up, printed and written. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

export interface BenchRow {
  case: string;
  subject: string;
  /** What nobody can be faster than, what is ours, and what people would pick instead. */
  role: 'floor' | 'ours' | 'peer';
  p50ms: number;
  p95ms: number;
  p99ms: number;
  opsPerSecond: number;
  /** Of the p50, or of the throughput where the case says so: ours divided by the floor's, in the same round. */
  ratioToFloor: number;
}

/** `--quick` (less than a minute) and `--json FILE`. */
export function benchFlags(): { quick: boolean; json: string | undefined } {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, json: { type: 'string' } } });
  return { quick: values.quick === true, json: values.json };
}

/** The value below which the fraction `share` of the values lies; `values` need not be in order. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('There are no values.');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The machine in a few words: the figures mean nothing without it. */
export function machine(): string {
  const processors = cpus();
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, Node ${process.version}, ${process.platform}`;
}

/** The rows as a Markdown table, as it stands in `bench/README.md`. */
export function formatTable(rows: readonly BenchRow[]): string {
  const head = ['case', 'subject', 'role', 'p50 ms', 'p95 ms', 'p99 ms', 'ops/s', '× floor'];
  const cells = rows.map((row) => [
    row.case,
    row.subject,
    row.role,
    row.p50ms.toFixed(3),
    row.p95ms.toFixed(3),
    row.p99ms.toFixed(3),
    Math.round(row.opsPerSecond).toLocaleString('en-US'),
    row.ratioToFloor.toFixed(2),
  ]);
  const widths = head.map((name, column) =>
    Math.max(name.length, ...cells.map((cell) => (cell[column] ?? '').length)),
  );
  const line = (columns: string[]) =>
    `| ${columns.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...cells.map(line)].join(
    '\n',
  );
}

/** Prints the table, and writes the rows where `--json` says. */
export async function report(rows: BenchRow[], json: string | undefined): Promise<void> {
  console.log(`\n${machine()}\n\n${formatTable(rows)}\n`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(rows, null, 2)}\n`);
}
