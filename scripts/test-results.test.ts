import { describe, expect, it } from 'vitest';
import { notInstalled, type ServerKind } from '../runtime/storage/testing/servers/programs.ts';
import { fromCheck, fromPlaywright, fromSuite, type SuiteResult, summarize } from './test-results.ts';

const result = (change: Partial<SuiteResult>): SuiteResult => ({
  suite: 'unit',
  passed: 1,
  failed: 0,
  skipped: [],
  ...change,
});
const NO_ELECTRON = "Electron's binary is not installed on this machine";

describe('summarize', () => {
  it('adds everything up in one line', () => {
    const summary = summarize([fromCheck('types', true), result({ passed: 40 }), result({ passed: 2 })], {
      ci: false,
    });
    expect(summary).toEqual({ line: '43 passed, 0 failed', succeeded: true, skips: [] });
  });

  it('fails when anything failed', () => {
    const summary = summarize([fromCheck('types', false), result({ passed: 40, failed: 2 })], {
      ci: false,
    });
    expect(summary.line).toBe('40 passed, 3 failed');
    expect(summary.succeeded).toBe(false);
  });

  it('fails when nothing ran', () => {
    expect(summarize([], { ci: false }).succeeded).toBe(false);
  });

  it('counts skips and says each reason once', () => {
    const skipped = [
      { test: 'one', reason: NO_ELECTRON },
      { test: 'two', reason: NO_ELECTRON },
      { test: 'three', reason: undefined },
    ];
    const summary = summarize([result({ skipped })], { ci: false });
    expect(summary.line).toBe('1 passed, 0 failed, 3 skipped');
    expect(summary.succeeded).toBe(true);
    expect(summary.skips).toEqual([`skipped 2: ${NO_ELECTRON}`, 'skipped 1: no reason given by "three"']);
  });

  it('takes an unexpected skip for a failure in CI, and an expected one for what it is', () => {
    const skipped = [
      { test: 'one', reason: NO_ELECTRON },
      { test: 'two', reason: 'the sky is grey' },
      { test: 'three', reason: undefined },
      { test: 'four', reason: 'memory says that it is not durable (supports.durable)' },
    ];
    const summary = summarize([result({ skipped })], { ci: true });
    expect(summary.line).toBe('1 passed, 2 failed, 2 skipped');
    expect(summary.succeeded).toBe(false);
    expect(summary.skips).toContain('skipped 1: the sky is grey (not allowed in CI)');
  });
});

describe('a server that is not installed', () => {
  it.each<[string, ServerKind[]]>([
    ['Redis is not installed on this machine', ['redis']],
    ['Redis and PostgreSQL are not installed on this machine', ['redis', 'postgres']],
  ])('is no failure on the machine of a user, and one in CI: %s', (reason, kinds) => {
    expect(notInstalled(kinds)).toBe(reason);
    const results = [result({ skipped: [{ test: 'one', reason }] })];
    expect(summarize(results, { ci: false }).succeeded).toBe(true);
    expect(summarize(results, { ci: true })).toMatchObject({ line: '1 passed, 1 failed', succeeded: false });
  });
});

describe('fromSuite', () => {
  it('takes the counts of a suite that ended well', () => {
    expect(fromSuite('unit', result({ passed: 5 }), 0)).toMatchObject({ passed: 5, failed: 0 });
  });

  it('does not count a failure twice', () => {
    expect(fromSuite('unit', result({ failed: 2 }), 1)).toMatchObject({ failed: 2 });
  });

  it.each([
    ['left no report', undefined, 1],
    ['left no report, and says that all is well', undefined, 0],
    ['ran no test', result({ passed: 0 }), 0],
    ['only skipped', result({ passed: 0, skipped: [{ test: 'one', reason: 'x' }] }), 0],
    ['ended badly although no test failed', result({ passed: 5 }), 1],
  ] as const)('fails when it %s', (_what, report, exitCode) => {
    expect(fromSuite('unit', report, exitCode).failed).toBe(1);
  });
});

describe('fromPlaywright', () => {
  it('reads passed, failed, flaky and skipped tests at any depth', () => {
    const test = (status: string, annotations: object[] = []) => ({ status, annotations });
    const json = JSON.stringify({
      errors: [],
      suites: [
        {
          title: 'main-job.spec.ts',
          specs: [{ title: 'works', tests: [test('expected')] }],
          suites: [
            {
              title: 'desktop',
              specs: [
                { title: 'fails', tests: [test('unexpected')] },
                { title: 'wavers', tests: [test('flaky')] },
                {
                  title: 'cannot',
                  tests: [test('skipped', [{ type: 'skip', description: NO_ELECTRON }])],
                },
              ],
            },
          ],
        },
      ],
    });
    expect(fromPlaywright(json)).toEqual({
      suite: 'end-to-end',
      passed: 1,
      failed: 2,
      skipped: [{ test: 'main-job.spec.ts › desktop › cannot', reason: NO_ELECTRON }],
    });
  });

  it('counts what went wrong outside of the tests', () => {
    const json = JSON.stringify({ suites: [], errors: [{ message: 'No tests found' }] });
    expect(fromPlaywright(json).failed).toBe(1);
  });
});
