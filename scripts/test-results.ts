/** Adds up what all suites of `npm test` did, and says it in one line. */

export interface Skip {
  test: string;
  /** As given by the test; undefined when it gave none. */
  reason: string | undefined;
}

export interface SuiteResult {
  suite: string;
  passed: number;
  failed: number;
  skipped: Skip[];
}

/** What a machine may lack without anything being wrong with the product. CI fails on a skip for any other reason. */
const EXPECTED_REASONS = [
  /^Electron's binary is not installed/,
  /^Electron cannot open a window/,
  // What a storage adapter declares that it cannot do, as the storage contract suite says it.
  /^\w+ says that it .+ \(supports\.\w+\)$/,
];

function isExpectedSkip({ reason }: Skip): boolean {
  return reason !== undefined && EXPECTED_REASONS.some((expected) => expected.test(reason));
}

/** A check is one test: it passes or it fails. */
export function fromCheck(suite: string, passed: boolean): SuiteResult {
  return { suite, passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: [] };
}

/**
 * A suite of tests: what its report counted, and how its process ended. Without a report, without a test in it, or with
 * a bad end that no test accounts for, something went wrong that no test could say: that counts as one failure.
 */
export function fromSuite(suite: string, report: SuiteResult | undefined, exitCode: number): SuiteResult {
  const result = report ?? { suite, passed: 0, failed: 0, skipped: [] };
  const ranNothing = result.passed + result.failed === 0;
  const unaccounted = exitCode !== 0 && result.failed === 0;
  return { ...result, suite, failed: result.failed + (ranNothing || unaccounted ? 1 : 0) };
}

interface PlaywrightSuite {
  title: string;
  specs?: {
    title: string;
    tests: {
      status: 'expected' | 'unexpected' | 'flaky' | 'skipped';
      annotations: { type: string; description?: string }[];
    }[];
  }[];
  suites?: PlaywrightSuite[];
}

/** Reads the report of Playwright's JSON reporter. A flaky test has failed; an error outside of all tests, too. */
export function fromPlaywright(json: string): SuiteResult {
  const report = JSON.parse(json) as { suites: PlaywrightSuite[]; errors?: unknown[] };
  const result: SuiteResult = {
    suite: 'end-to-end',
    passed: 0,
    failed: report.errors?.length ?? 0,
    skipped: [],
  };
  const visit = (suite: PlaywrightSuite, path: string[]) => {
    for (const spec of suite.specs ?? []) {
      for (const test of spec.tests) {
        if (test.status === 'expected') result.passed++;
        else if (test.status !== 'skipped') result.failed++;
        else {
          const note = test.annotations.find(({ type }) => type === 'skip' || type === 'fixme');
          result.skipped.push({ test: [...path, spec.title].join(' › '), reason: note?.description });
        }
      }
    }
    for (const inner of suite.suites ?? []) visit(inner, [...path, inner.title]);
  };
  for (const suite of report.suites) visit(suite, [suite.title]);
  return result;
}

export interface Summary {
  /** `N passed, N failed` or `N passed, N failed, N skipped`. */
  line: string;
  succeeded: boolean;
  /** One line for each reason of skips, with how many there are. */
  skips: string[];
}

/** In CI a skip that is not expected is a failure: there, what the tests need must be there. */
export function summarize(results: SuiteResult[], options: { ci: boolean }): Summary {
  const skipped = results.flatMap((result) => result.skipped);
  const fatal = options.ci ? skipped.filter((skip) => !isExpectedSkip(skip)) : [];
  const passed = sum(results.map((result) => result.passed));
  const failed = sum(results.map((result) => result.failed)) + fatal.length;
  const harmless = skipped.length - fatal.length;
  const byReason = Map.groupBy(skipped, (skip) => skip.reason ?? `no reason given by "${skip.test}"`);
  return {
    line: `${passed} passed, ${failed} failed${harmless === 0 ? '' : `, ${harmless} skipped`}`,
    succeeded: failed === 0 && passed > 0,
    skips: [...byReason].map(
      ([reason, skips]) =>
        `skipped ${skips.length}: ${reason}${skips.some((skip) => fatal.includes(skip)) ? ' (not allowed in CI)' : ''}`,
    ),
  };
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
