/** Counts what vitest's JSON report says. Owns no state. */

/**
 * @param {{ testResults?: readonly { name?: string, status?: string, assertionResults?: readonly { status: string }[] }[] }} report
 * @param {boolean} exitedWell whether vitest itself ended with 0
 * @returns {{ passed: number, failed: number }} a file that could not be loaded, a test that did not run, and an
 * error outside of all tests count as failed
 */
export function countTests(report, exitedWell) {
  let passed = 0;
  let failed = 0;
  for (const { status, assertionResults = [] } of report.testResults ?? []) {
    const good = assertionResults.filter((result) => result.status === 'passed').length;
    passed += good;
    failed += assertionResults.length - good;
    if (status === 'failed' && good === assertionResults.length) failed += 1;
  }
  const unexplained = failed === 0 && (!exitedWell || passed === 0);
  return { passed, failed: failed + (unexplained ? 1 : 0) };
}
