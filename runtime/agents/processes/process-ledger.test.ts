import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ProcessLedger, readLedgers } from './process-ledger.ts';
import { readProcess } from './process-table.ts';
import { makeDataFolder } from './processes.fixture.ts';

const OWNER = { pid: 10, start: 'boot.1' };
const entry = (pid: number, agentId = 'a') => ({ pid, start: `boot.${pid}`, agentId, generation: 1 });

it('knows what has not ended', () => {
  const folder = join(makeDataFolder(), 'ledgers');
  const ledger = new ProcessLedger(folder, 'one', OWNER);
  ledger.runs(entry(1));
  ledger.runs(entry(2));
  ledger.runs(entry(3, '-spare'));
  ledger.ended(1);
  ledger.runs(entry(3, 'b'));
  const [found] = readLedgers(folder);
  expect(found).toMatchObject({
    owner: OWNER,
    launcher: { pid: process.pid, start: readProcess(process.pid)?.start },
    running: [entry(2), entry(3, 'b')],
  });
});

it('is read by its owner alone', () => {
  const folder = join(makeDataFolder(), 'ledgers');
  new ProcessLedger(folder, 'one', OWNER).runs(entry(1));
  const mode = (path: string) => statSync(path).mode & 0o777;
  expect(mode(folder)).toBe(0o700);
  expect(mode(join(folder, 'one.ndjson'))).toBe(0o600);
});

it('is read up to a torn end, and without what is no line of it', () => {
  const folder = makeDataFolder();
  const ledger = new ProcessLedger(folder, 'one', OWNER);
  ledger.runs(entry(1));
  const file = join(folder, 'one.ndjson');
  appendFileSync(file, 'null\n[]\n{"kind":"runs","pid":"7"}\n\0\0\0\n');
  ledger.runs(entry(2));
  appendFileSync(file, '{"kind":"ended","pi');
  expect(readLedgers(folder)[0]?.running).toEqual([
    expect.objectContaining(entry(1)),
    expect.objectContaining(entry(2)),
  ]);
});

it('does not grow with the processes that have ended', () => {
  const folder = makeDataFolder();
  const ledger = new ProcessLedger(folder, 'one', OWNER);
  ledger.runs(entry(1));
  for (let pid = 2; pid < 2500; pid++) {
    ledger.runs(entry(pid));
    ledger.ended(pid);
  }
  expect(readFileSync(join(folder, 'one.ndjson'), 'utf8').split('\n').length).toBeLessThan(2100);
  expect(readLedgers(folder)[0]?.running).toMatchObject([entry(1)]);
});
