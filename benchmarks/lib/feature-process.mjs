/**
 * A worker with some of the plugins that observe: runs a job and tells how long it took, whenever its parent asks, and
 * stops when the parent closes the channel or is gone. `feature-process.mjs ENDPOINT NAME…`
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { autotuner } from '@nanogrid/plugin-autotuner';
import { cloudwatch } from '@nanogrid/plugin-cloudwatch';
import { cost } from '@nanogrid/plugin-cost';
import { llmMetering } from '@nanogrid/plugin-llm-metering';
import { opentelemetry } from '@nanogrid/plugin-opentelemetry';
import { prometheus } from '@nanogrid/plugin-prometheus';
import { BenchWorker } from './bench-worker.mjs';

/** Between the end of a job and the next, so that the clean-up is done. */
const PAUSE_MS = 5;
/** Jobs in flight while it warms up. */
const WARM_UP_IN_FLIGHT = 8;
/** How often the metrics are asked for, in milliseconds: more often than any Prometheus does. */
const SCRAPE_MS = 5_000;

// CloudWatch's client wants some; what it talks to here looks at none.
process.env.AWS_ACCESS_KEY_ID ??= 'none';
process.env.AWS_SECRET_ACCESS_KEY ??= 'none';

const [endpoint, ...names] = process.argv.slice(2);
/** As an operator would have them. */
const features = {
  autotuner: () => autotuner(),
  llmMetering: () =>
    llmMetering({
      prices: [{ model: '*', promptPerMillion: 1, completionPerMillion: 2 }],
      budgets: [{ function: 'other*', tokens: 1_000_000 }],
    }),
  cost: () => cost({ cpuSecond: 0.00001, gbSecond: 0.00001 }),
  prometheus: () => prometheus({ port: 0 }),
  cloudwatch: () => cloudwatch({ region: 'eu-west-1', endpoint }),
  opentelemetry: () => opentelemetry({ endpoint }),
};

const stopped = new AbortController();
process.once('disconnect', () => stopped.abort(new Error('the parent closed the channel')));
// Ctrl-C reaches the whole group of processes; the parent decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

let metrics;
const info = (fields) => {
  if (fields?.address?.endsWith('/metrics')) metrics = fields.address;
};
const log = { trace() {}, debug() {}, info, warn() {}, error: console.error, child: () => log };
const plugins = names.map((name) => features[name]());
const worker = await BenchWorker.start({ signal: stopped.signal, log, plugins });
if (metrics) void scrape();
let job;
/** As of the end of the job before: what is done between two jobs belongs to one of them. */
let cpu = process.cpuUsage();
process.on('message', async (message) => {
  try {
    if (message === 'run') {
      await sleep(PAUSE_MS);
      const before = cpu;
      const { ms, result } = await worker.run(job, stopped.signal);
      cpu = process.cpuUsage();
      const cpuMs = (cpu.user + cpu.system - before.user - before.system) / 1_000;
      process.send({ ms, result, cpuMs });
    } else {
      const { code, input, warmUpJobs } = message;
      job = { s3Key: await worker.put({ 'main.py': code }), input, runtime: 'python' };
      await warmUp(warmUpJobs);
      process.send({});
    }
  } catch (error) {
    // The parent learns by the end of this process.
    if (!stopped.signal.aborted) console.error(error);
    stopped.abort(error);
  }
});
if (!stopped.signal.aborted) await new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
await worker.stop();
process.exit();

/** Code that has run a few hundred times only is slow, that of plugins too; a worker's has run more often. */
async function warmUp(jobs) {
  let left = jobs;
  const line = async () => {
    for (; left > 0; left--) await worker.run(job, stopped.signal);
  };
  await Promise.all(Array.from({ length: WARM_UP_IN_FLIGHT }, line));
}

async function scrape() {
  while (!stopped.signal.aborted) {
    const answer = await fetch(metrics, { signal: stopped.signal }).catch(() => undefined);
    await answer?.text().catch(() => {});
    await sleep(SCRAPE_MS, undefined, { signal: stopped.signal }).catch(() => {});
  }
}
