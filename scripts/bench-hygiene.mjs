/** `npm run bench:hygiene`: sets up what is missing, then measures the clean-up after a job. `-- --jobs N` (default 100). */

import { parseArgs } from 'node:util';
import { SetUpError } from './lib/set-up-error.mjs';
import { setUp, tellFailure } from './setup.mjs';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort(new Error(signal)));

try {
  const { values } = parseArgs({ options: { jobs: { type: 'string', default: '100' } } });
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 10_000)
    throw new Error(`--jobs must be 1 to 10000, not ${values.jobs}`);
  await setUp({ say: console.error });
  // Imported here: there is nothing to import before the set-up has built it.
  const { measureHygiene } = await import('../benchmarks/hygiene.mjs');
  await measureHygiene({ jobs, interrupted: interrupted.signal });
} catch (error) {
  if (error instanceof SetUpError) tellFailure(error);
  else console.error('\nThe measurement failed:', error);
  process.exitCode = 1;
}
