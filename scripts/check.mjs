/** `npm run check`: types, lint and format, import boundaries and forbidden text, at once; one line each. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkForbiddenText } from './checks/forbidden-text.mjs';
import { checkImportBoundaries } from './checks/import-boundaries.mjs';
import { PROGRAMS, ROOT } from './lib/paths.mjs';
import { runLogged } from './lib/run-logged.mjs';
import { trackedFiles } from './lib/tracked-files.mjs';
import { setUpWorkspaces, tellFailure } from './setup.mjs';

/** @typedef {{ name: string, ok: boolean }} CheckResult */

/**
 * Runs every check, printing one line for each and what a failed one says.
 *
 * @param {{ root?: string, say?: (text: string) => void }} [options]
 * @returns {Promise<CheckResult[]>}
 */
export async function runChecks({ root = ROOT, say = console.log } = {}) {
  const files = trackedFiles(root);
  const program =
    (path, ...args) =>
    async () => {
      const { ok, end, lastLines } = await runLogged(process.execPath, [join(root, path), ...args], { cwd: root });
      return ok ? [] : [end, ...lastLines.split('\n')];
    };
  const checks = {
    types: program(PROGRAMS.tsc, '-b'),
    'lint and format': program(PROGRAMS.biome, 'check', '--error-on-warnings', '--max-diagnostics=20', '.'),
    'import boundaries': async () => checkImportBoundaries(root, files),
    'forbidden text': async () => checkForbiddenText(root, files),
  };
  return Promise.all(Object.entries(checks).map(([name, check]) => runCheck(name, check, say)));
}

async function runCheck(name, check, say) {
  const begun = performance.now();
  // A check that crashes has failed; the others still say what they found.
  const problems = await check().catch((error) => [error.stack]);
  const ok = problems.length === 0;
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  say(
    [
      `${ok ? '✓' : '✗'} ${name}: ${ok ? 'ok' : 'failed'} (${seconds} s)`,
      ...problems.map((line) => `    ${line}`),
    ].join('\n'),
  );
  return { name, ok };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await setUpWorkspaces({ compile: false });
    const results = await runChecks();
    if (results.some(({ ok }) => !ok)) process.exitCode = 1;
  } catch (error) {
    tellFailure(error);
    process.exitCode = 1;
  }
}
