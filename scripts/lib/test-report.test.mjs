import { describe, expect, test } from 'vitest';
import { countTests } from './test-report.mjs';

const results = (...statuses) => statuses.map((status) => ({ status }));

describe('countTests', () => {
  test.each([
    ['counts tests', [{ status: 'passed', assertionResults: results('passed', 'passed') }], true, 2, 0],
    ['counts failures', [{ status: 'failed', assertionResults: results('passed', 'failed') }], false, 1, 1],
    [
      'a test that did not run has failed',
      [{ status: 'passed', assertionResults: results('passed', 'pending') }],
      true,
      1,
      1,
    ],
    ['a file that could not be loaded has failed', [{ status: 'failed', assertionResults: [] }], false, 0, 1],
    [
      'a hook that failed after its tests has failed',
      [{ status: 'failed', assertionResults: results('passed') }],
      false,
      1,
      1,
    ],
    ['an error outside of all tests', [{ status: 'passed', assertionResults: results('passed') }], false, 1, 1],
    ['no test at all is a failure', [], true, 0, 1],
  ])('%s', (_, testResults, exitedWell, passed, failed) => {
    expect(countTests({ testResults }, exitedWell)).toEqual({ passed, failed });
  });
});
