/** What one OCI runtime costs beside the engine's own: warm jobs and container starts, taking turns. Owns the workers it starts. */

import { setTimeout as sleep } from 'node:timers/promises';
import { BenchWorker } from './bench-worker.mjs';
import { round, summarize } from './statistics.mjs';

const FILES = {
  python: { 'main.py': 'print("hello")' },
  shell: { 'main.sh': 'echo hello' },
};
/** So long that a container has cleaned up after a job before the next one comes. */
const PAUSE_MS = 40;
const WARM_UP_JOBS = 3;

/**
 * Rows of `{ row, unit, own, other, factor }`: summaries of both sides, and how many times longer the other takes.
 *
 * @param {{ runtime: string, warmJobs: number, starts: number, signal: AbortSignal }} options
 */
export async function measureOciRuntime({ runtime, warmJobs, starts, signal }) {
  // Containers are enough for every function of a run, so that none is evicted in the middle of a measurement.
  const pool = { maxContainers: 8 * starts + 16, sizes: { python: 0, shell: 0 } };
  const workers = [];
  try {
    for (const sandbox of [{}, { ociRuntime: runtime }]) {
      workers.push(await BenchWorker.start({ signal, settings: { pool, sandbox } }));
    }
    const rows = [];
    for (const language of Object.keys(FILES)) {
      rows.push(row(`${language}: start of a container`, await startsOf(workers, language, starts, signal)));
      rows.push(row(`${language}: warm hello job`, await warmJobsOf(workers, language, warmJobs, signal)));
    }
    return rows;
  } finally {
    for (const worker of workers) await worker.stop();
  }
}

/** Each function is new and no container waits, so that its first job's time to acquire one is a start. */
function startsOf(workers, language, count, signal) {
  return takeTurns(workers, count, async (worker) => {
    const s3Key = await worker.put(FILES[language]);
    const { result } = await worker.run({ s3Key, runtime: language }, signal);
    if (result.phases.start !== 'cold') throw new Error(`a ${result.phases.start} container where a new one was due`);
    return result.phases.acquire;
  });
}

async function warmJobsOf(workers, language, count, signal) {
  const keys = new Map();
  for (const worker of workers) keys.set(worker, await worker.put(FILES[language]));
  const one = async (worker) => {
    await sleep(PAUSE_MS, undefined, { signal });
    return await worker.run({ s3Key: keys.get(worker), runtime: language }, signal);
  };
  await takeTurns(workers, WARM_UP_JOBS, one);
  return await takeTurns(workers, count, async (worker) => {
    const { ms, result } = await one(worker);
    if (result.phases.start !== 'reused')
      throw new Error(`a ${result.phases.start} container where a warm one was due`);
    return ms;
  });
}

/** One sample of each side, `count` times, every second time backwards. */
async function takeTurns(workers, count, sample) {
  const samples = workers.map(() => []);
  for (let turn = 0; turn < count; turn++) {
    const order = workers.map((_, index) => index);
    if (turn % 2 === 1) order.reverse();
    for (const index of order) samples[index].push(await sample(workers[index]));
  }
  return samples;
}

function row(name, [own, other]) {
  const [a, b] = [summarize(own), summarize(other)];
  return { row: name, unit: 'ms', own: a, other: b, factor: round(b.median / a.median) };
}
