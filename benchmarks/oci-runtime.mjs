/** `npm run bench:oci-runtime -- --runtime runsc`: what another OCI runtime costs beside the engine's own. Owns `results/oci-runtime.json`. */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { SetUpError } from '../scripts/lib/set-up-error.mjs';
import { setUp, tellFailure } from '../scripts/setup.mjs';

const RESULTS = new URL('./results/oci-runtime.json', import.meta.url);

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

try {
  const options = readOptions();
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
  const rows = await measureOciRuntime({ ...options, signal: interrupted.signal });
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

function readOptions() {
  const { values } = parseArgs({
    options: {
      runtime: { type: 'string', default: 'runsc' },
      jobs: { type: 'string', default: '60' },
      starts: { type: 'string', default: '8' },
    },
  });
  const whole = (name) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
    throw new Error(`--${name} must be a whole number from 1 to 1000, not ${JSON.stringify(values[name])}`);
  };
  return { runtime: values.runtime, warmJobs: whole('jobs'), starts: whole('starts') };
}
