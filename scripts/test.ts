/**
 * `npm test`: makes sure that what the tests need is here, builds, runs every check and every suite, and ends with one
 * line `N passed, N failed` for all of them together (and `, N skipped`, the reasons being above it).
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './build.ts';
import { CHROMIUM, NEEDS, provide, sayMissing, thisMachine } from './test-needs.ts';
import { fromCheck, fromPlaywright, fromSuite, type SuiteResult, summarize } from './test-results.ts';

const ROOT = join(import.meta.dirname, '..');
const REPORTS = join(ROOT, 'test-results');
const UNIT_REPORT = join(REPORTS, 'unit.json');
const E2E_REPORT = join(REPORTS, 'e2e.json');

/** Each is one test: its command must end with 0. */
const CHECKS = [
  { name: 'types', command: ['tsc'] },
  { name: 'lint and format', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'unused code', command: ['knip'] },
];

mkdirSync(REPORTS, { recursive: true });
for (const report of [UNIT_REPORT, E2E_REPORT]) rmSync(report, { force: true });

const missing = provide(NEEDS, thisMachine(), console.log);
for (const need of missing) console.error(sayMissing(need));

const results: SuiteResult[] = [];
const built = await build();
results.push(fromCheck('build', built));
for (const { name, command } of CHECKS) {
  results.push(fromCheck(name, (await run(name, command)) === 0));
}
results.push(await unitTests(), await endToEndTests());

const summary = summarize(results, { ci: process.env.CI === 'true' });
console.log('');
for (const { suite, passed, failed } of results) {
  console.log(`${failed === 0 ? 'ok' : 'FAILED'}  ${suite}: ${passed} passed, ${failed} failed`);
}
for (const skip of summary.skips) console.log(skip);
console.log(summary.line);
process.exitCode = summary.succeeded ? 0 : 1;

async function build(): Promise<boolean> {
  heading('build');
  try {
    await ensureBuilt(['renderer', 'desktop']);
    return true;
  } catch (error) {
    console.error(error);
    return false;
  }
}

async function unitTests(): Promise<SuiteResult> {
  const reporters = ['--reporter=default', '--reporter=./scripts/vitest-counts.ts'];
  const exitCode = await run('unit', ['vitest', 'run', ...reporters], { VITEST_COUNTS_FILE: UNIT_REPORT });
  return fromSuite(
    'unit',
    readReport(UNIT_REPORT, (json) => JSON.parse(json) as SuiteResult),
    exitCode,
  );
}

async function endToEndTests(): Promise<SuiteResult> {
  if (!built) return fromSuite('end-to-end', undefined, 1);
  if (missing.includes(CHROMIUM)) return fromSuite('end-to-end', undefined, 1);
  const exitCode = await run('end-to-end', ['playwright', 'test']);
  return fromSuite('end-to-end', readReport(E2E_REPORT, fromPlaywright), exitCode);
}

/** Runs a program of `node_modules/.bin`, which npm puts on the PATH, and passes its output on. */
function run(name: string, command: string[], environment: Record<string, string> = {}): Promise<number> {
  heading(name);
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
    env: { ...process.env, ...environment },
  });
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function readReport(file: string, read: (json: string) => SuiteResult): SuiteResult | undefined {
  return existsSync(file) ? read(readFileSync(file, 'utf8')) : undefined;
}

function heading(name: string): void {
  console.log(`\n── ${name} ${'─'.repeat(Math.max(0, 70 - name.length))}`);
}
