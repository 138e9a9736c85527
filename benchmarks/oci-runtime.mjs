/** `npm run bench:oci-runtime -- --runtime runsc`: what another OCI runtime costs beside the engine's own. Owns `results/oci-runtime.json`. */

import { writeFile } from 'node:fs/promises';
import { SetUpError } from '../scripts/lib/set-up-error.mjs';
import { setUp, tellFailure } from '../scripts/setup.mjs';
import { optionsOrExit } from './lib/options.mjs';

const RESULTS = new URL('./results/oci-runtime.json', import.meta.url);

const HELP = `npm run bench:oci-runtime -- [options]

Measures what another OCI runtime of the engine costs, and writes benchmarks/results/oci-runtime.json.

  --runtime NAME   as the engine knows it (default runsc)
  --jobs N         warm jobs of each (default 60)
  --starts N       containers started with each (default 8)
  --help           this text`;

const { jobs: warmJobs, ...options } = optionsOrExit(HELP, { runtime: 'runsc', jobs: 60, starts: 8 });
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

try {
  await setUp({ say: console.error });
  // Imported here: there is nothing to import before the set-up has built it.
  const { createDockerClient } = await import('@nanogrid/core');
  const { measureOciRuntime } = await import('./lib/oci-runtime-rows.mjs');
  const { describeMachine } = await import('./lib/machine.mjs');
  const docker = createDockerClient(process.env.DOCKER_HOST);
  const { Runtimes: known = {}, DefaultRuntime: own } = await docker.info();
  if (!Object.hasOwn(known, options.runtime)) {
    const names = Object.keys(known).join(', ');
    throw new Error(
      `The engine has no OCI runtime ${JSON.stringify(options.runtime)}, only ${names}; see docs/gvisor.md.`,
    );
  }
  const machine = await describeMachine(docker);
  const rows = await measureOciRuntime({ ...options, warmJobs, signal: interrupted.signal });
  for (const { row, unit, own: a, other: b, factor } of rows) {
    console.log(`${row}: ${own} ${a.median} ${unit}, ${options.runtime} ${b.median} ${unit}, factor ${factor}`);
  }
  const { runtimeArgs = [] } = known[options.runtime];
  const other = { name: options.runtime, runtimeArgs };
  await writeFile(RESULTS, `${JSON.stringify({ machine, own, other, rows }, undefined, 2)}\n`);
} catch (error) {
  if (error instanceof SetUpError) tellFailure(error);
  else console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
