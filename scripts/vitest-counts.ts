/**
 * A Vitest reporter that writes a {@link SuiteResult} to the file named by `VITEST_COUNTS_FILE`. Vitest's own JSON report
 * leaves out why a test was skipped.
 */
import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';
import type { SuiteResult } from './test-results.ts';

export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const file = process.env.VITEST_COUNTS_FILE;
    if (file === undefined) throw new Error('VITEST_COUNTS_FILE must name the file to write.');
    const result: SuiteResult = { suite: 'unit', passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that could not be loaded has no tests that could fail.
      if (module.errors().length > 0) result.failed++;
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) result.failed++;
      for (const test of module.children.allTests()) {
        const outcome = test.result();
        if (outcome.state === 'passed') result.passed++;
        else if (outcome.state === 'skipped') {
          result.skipped.push({
            test: `${module.relativeModuleId} > ${test.fullName}`,
            reason: outcome.note,
          });
        } else result.failed++;
      }
    }
    writeFileSync(file, JSON.stringify(result));
  }
}
