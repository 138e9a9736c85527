/** What the clean-up after a job costs, phase by phase, in microseconds, as the supervisor measures it. */

import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { BenchWorker } from './lib/bench-worker.mjs';
import { round, summarize } from './lib/statistics.mjs';

const RESULTS = new URL('results/hygiene.json', import.meta.url);
const FILES = 'i=0; while [ $i -lt 1000 ]; do : > /tmp/$i; i=$((i+1)); done';
const PROCESSES = 'i=0; while [ $i -lt 50 ]; do sleep 1000 & i=$((i+1)); done';

const ROWS = [
  { row: 'python, hello', runtime: 'python', files: { 'main.py': 'print("hello")\n' } },
  { row: 'shell, hello', runtime: 'shell', files: { 'main.sh': 'echo hello\n' } },
  { row: 'shell, 1,000 files left', runtime: 'shell', files: { 'main.sh': `${FILES}\n` } },
  { row: 'shell, 50 processes left', runtime: 'shell', files: { 'main.sh': `${PROCESSES}\n` } },
  { row: 'shell, both', runtime: 'shell', files: { 'main.sh': `${FILES}\n${PROCESSES}\n` } },
];

/**
 * Runs each job `jobs` times in its container, prints the medians and writes `results/hygiene.json`.
 *
 * @param {{ jobs: number, interrupted: AbortSignal }} options
 */
export async function measureHygiene({ jobs, interrupted }) {
  const load = loadavg()[0];
  /** @type {object[]} */
  let records = [];
  const log = recorder((record) => records.push(record));
  const bench = await BenchWorker.start({ signal: interrupted, log });
  const results = [];
  try {
    for (const { row, runtime, files } of ROWS) {
      const key = await bench.put(files);
      const samples = {};
      for (let job = -2; job < jobs; job++) {
        records = [];
        await bench.run({ s3Key: key, runtime }, interrupted);
        const { hygieneUs, collectUs, cleanUpUs } = await taken(() => records[0], interrupted);
        if (job < 0) continue; // the first ones warm up
        const wipes = Object.entries(cleanUpUs.wipe).map(([place, us]) => [`wipe ${place}`, us]);
        const phases = { ...hygieneUs, outputs: collectUs, ipc: cleanUpUs.ipc, ...Object.fromEntries(wipes) };
        phases.populate = cleanUpUs.populate;
        phases.total = Object.values(phases).reduce((sum, us) => sum + us, 0);
        for (const [phase, us] of Object.entries(phases)) samples[phase] = [...(samples[phase] ?? []), us];
      }
      results.push({ row, us: Object.fromEntries(Object.entries(samples).map(([name, us]) => [name, summarize(us)])) });
    }
  } finally {
    await bench.stop();
  }
  print(results);
  await writeFile(RESULTS, `${JSON.stringify({ jobs, load: round(load), results }, null, 2)}\n`);
}

/** A logger that hands over what the container says after each clean-up. */
function recorder(take) {
  const nothing = () => {};
  const debug = (fields, message) => {
    if (message === 'cleaned up after a job') take(fields);
  };
  const log = { trace: nothing, debug, info: nothing, warn: nothing, error: nothing, child: () => log };
  return log;
}

async function taken(read, signal) {
  for (;;) {
    signal.throwIfAborted();
    const record = read();
    if (record !== undefined) return record;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function print(results) {
  const phases = Object.keys(results[0].us);
  console.log(`| µs, median | ${results.map(({ row }) => row).join(' | ')} |`);
  console.log(`|---|${results.map(() => '---:|').join('')}`);
  for (const phase of phases) {
    console.log(`| ${phase} | ${results.map(({ us }) => us[phase].median).join(' | ')} |`);
  }
}
