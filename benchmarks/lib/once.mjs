/** What is measured once in a run, each on a worker of its own: an idle worker, and one with many functions. Owns no state. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BenchWorker } from './bench-worker.mjs';
import { GROWTH_SETTINGS, measureGrowth } from './growth.mjs';

/** After the start, until what the start left to do is done. */
const SETTLE_MS = 3_000;
/** Functions besides the hot one; `npm run bench:endurance` takes 1,000. */
const FUNCTIONS = 60;
const HOT_JOBS = 240;

/** Resident memory in MB and processor time in percent of one processor, of a worker that has nothing to do. */
export async function idleSamples({ signal }) {
  const child = fork(fileURLToPath(new URL('./start-worker.mjs', import.meta.url)), ['all'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Not what this process was started with: a debugger's port, or a way to give the program.
    execArgv: [],
  });
  const exited = once(child, 'exit');
  const answer = async (wanted) => {
    const [message] = await Promise.race([once(child, 'message', { signal }), exited]);
    if (typeof message !== 'object' && message !== wanted)
      throw new Error(`a worker ended before it answered: ${message}`);
    return message;
  };
  try {
    await answer('ready');
    await sleep(SETTLE_MS, undefined, { signal });
    child.send('measure');
    const { rssMb, cpuPercent } = await answer();
    return { 'idle memory': side([rssMb]), 'idle processor': side([cpuPercent]) };
  } finally {
    // The end of the channel is the order to stop.
    if (child.connected) child.disconnect();
    await exited;
  }
}

/** Jobs of one function before, between and after those of many others. */
export async function growthSamples({ signal, say }) {
  const worker = await BenchWorker.start({ signal, settings: GROWTH_SETTINGS });
  try {
    const options = { worker, functions: FUNCTIONS, hotJobs: HOT_JOBS, signal, say };
    const { before, during, after } = await measureGrowth(options);
    const both = (samples) => ({
      values: samples.map(({ value }) => value),
      phases: samples.map(({ phases }) => phases),
    });
    return { 'hot before': both(before), 'hot between': both(during), 'hot after': both(after) };
  } finally {
    await worker.stop();
  }
}

function side(values) {
  return { values, phases: [] };
}
