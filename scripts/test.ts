/**
 * `npm test`: makes sure that what the tests need is here, builds, runs every check and every suite, and ends with one
 * line `N passed, N failed` for all of them together (and `, N skipped`, the reasons being above it).
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './build.ts';
import { findChromium } from './find-chromium.ts';
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
  if (!ensureChromium()) return fromSuite('end-to-end', undefined, 1);
  const exitCode = await run('end-to-end', ['playwright', 'test']);
  return fromSuite('end-to-end', readReport(E2E_REPORT, fromPlaywright), exitCode);
}

/** Installs Debian's Chromium where that is possible; otherwise says what is missing. */
function ensureChromium(): boolean {
  if (findChromium() !== undefined) return true;
  const canInstall =
    process.getuid?.() === 0 &&
    existsSync('/etc/debian_version') &&
    // Ubuntu's package of that name is a stub for a snap, which does not run in a container.
    !readFileSync('/etc/os-release', 'utf8').includes('ID=ubuntu');
  if (canInstall) {
    console.log('No Chromium here; installing the one of Debian.');
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const step of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
      spawnSync('apt-get', ['-q', ...step], { stdio: 'inherit', env: environment });
    }
    if (findChromium() !== undefined) return true;
  }
  console.error(
    'The end-to-end tests need Chromium or Chrome, and none was found: install one (on Debian: apt install chromium), ' +
      'or set CHROMIUM_PATH to its executable.',
  );
  return false;
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
