/**
 * `npm run bench:endurance`: many jobs on one worker, then many functions on another. What grows, and by how much, goes
 * to `results/endurance.json`. `-- --jobs N --functions N`. Owns two workers, one after the other.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setUp } from '../scripts/setup.mjs';
import { GROWTH_SETTINGS, measureGrowth } from './lib/growth.mjs';
import { interrupted } from './lib/interrupted.mjs';
import { optionsOrExit } from './lib/options.mjs';
import { round, slope, summarize } from './lib/statistics.mjs';

const RESULT = new URL('results/endurance.json', import.meta.url);
const SAMPLE_EVERY = 500;
/** Until then buffers, compiled code and caches still grow to their size. */
const WARM_UP_SHARE = 0.2;
const MIB = 2 ** 20;
const HELLO = 'import json, os\nprint(json.dumps({"hello": json.loads(os.environ["PAYLOAD"])["name"]}))\n';

const HELP = `npm run bench:endurance -- [options]

Runs many jobs on one worker, then many functions on another, and writes what grows to benchmarks/results/endurance.json.

  --jobs N        jobs of the first worker; 0 leaves that part out (default 10000)
  --functions N   functions of the second; 0 leaves that part out (default 1000)
  --help          this text`;

const options = optionsOrExit(HELP, {
  jobs: { default: 10_000, least: 0 },
  functions: { default: 1_000, least: 0 },
});
const stopped = interrupted();

await setUp({ say: console.error });
// Imported here: there is nothing to import before the set-up has built it.
const { BenchWorker } = await import('./lib/bench-worker.mjs');
// A part that is not run this time keeps its figures.
const report = existsSync(RESULT) ? JSON.parse(readFileSync(RESULT, 'utf8')) : {};
try {
  // Side by side they would measure each other.
  if (options.jobs > 0) report.jobs = await withWorker({}, (worker) => manyJobs(worker, options.jobs));
  if (options.functions > 0) {
    report.functions = await withWorker(GROWTH_SETTINGS, (worker) => manyFunctions(worker, options.functions));
  }
  writeFileSync(RESULT, `${JSON.stringify(report, undefined, 2)}\n`);
} catch (error) {
  if (!stopped.aborted) throw error;
  console.error(`${error.message}; everything is cleaned up`);
}

async function withWorker(settings, use) {
  const conditions = { date: new Date().toISOString(), node: process.version, loadBefore: round(loadavg()[0]) };
  const worker = await BenchWorker.start({ signal: stopped, settings });
  try {
    return { ...conditions, ...(await use(worker)) };
  } finally {
    await worker.stop();
  }
}

/** This process is worker and client in one: its memory is the memory of both. */
async function sampleOf(worker) {
  // Where node was told to let us, what is left after a collection is what counts.
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { pool, codeCache, processedJobs } = await worker.status();
  const containers = Object.values(pool.runtimes).flatMap((states) => Object.values(states));
  return {
    processedJobs,
    rssMb: round(rss / MIB),
    heapMb: round(heapUsed / MIB),
    externalMb: round(external / MIB),
    openFiles: readdirSync('/proc/self/fd').length,
    containers: containers.reduce((sum, count) => sum + count, 0),
    codeCache,
  };
}

async function manyJobs(worker, count) {
  const job = { s3Key: await worker.put({ 'main.py': HELLO }), runtime: 'python', input: { name: 'again' } };
  const samples = [];
  const times = [];
  for (let n = 1; n <= count; n++) {
    times.push((await worker.run(job, stopped)).ms);
    if (n % SAMPLE_EVERY !== 0) continue;
    const sample = { ...(await sampleOf(worker)), p50Ms: summarize(times.splice(0)).median };
    samples.push(sample);
    const { rssMb, heapMb, openFiles, containers, p50Ms } = sample;
    console.log(`${n} jobs: ${rssMb} MiB (heap ${heapMb}), ${openFiles} files, ${containers} containers, ${p50Ms} ms`);
  }
  const steady = samples.slice(Math.ceil(samples.length * WARM_UP_SHARE));
  const per1000 = (key) => {
    const points = steady.map((sample) => [sample.processedJobs / 1000, sample[key]]);
    return points.length < 2 ? null : round(slope(points));
  };
  const growthPer1000 = { rssMb: per1000('rssMb'), heapMb: per1000('heapMb'), openFiles: per1000('openFiles') };
  console.log(`growth per 1,000 jobs after warm-up: ${JSON.stringify(growthPer1000)}`);
  return { count, growthPer1000, samples };
}

async function manyFunctions(worker, count) {
  const samples = [await sampleOf(worker)];
  const values = await measureGrowth({
    worker,
    functions: count,
    hotJobs: Math.max(300, count),
    signal: stopped,
    say: console.error,
    sample: async () => {
      samples.push(await sampleOf(worker));
    },
  });
  const hot = Object.fromEntries(
    Object.entries(values).map(([when, taken]) => [when, summarize(taken.map(({ value }) => value))]),
  );
  const ratio = {
    during: round(hot.during.median / hot.before.median),
    after: round(hot.after.median / hot.before.median),
  };
  const most = (read) => Math.max(...samples.map(read));
  const bounds = {
    containers: most(({ containers }) => containers),
    maxContainers: GROWTH_SETTINGS.pool.maxContainers,
    cacheBytes: most(({ codeCache }) => codeCache.bytes),
    maxCacheBytes: GROWTH_SETTINGS.code.cacheBytes,
  };
  console.log(`hot function: ${hot.before.median} ms before, x ${ratio.during} between, x ${ratio.after} after`);
  console.log(`bounds: ${JSON.stringify(bounds)}`);
  return { count, target: 1.2, ratio, hot, bounds, samples };
}
