/**
 * The full counts behind `tests/integration/{out-of-memory,deadlines}.test.ts`, by hand, on a machine that does nothing
 * else: `npm run build && node .build/tests/campaigns/cost.js oom|deadlines|forking`. Prints what was told wrong, and figures.
 */

import { loadavg } from 'node:os';
import { python } from '@nanogrid/runtime-python';
import { ENDLESS, FORKING } from '../support/deadline-jobs.js';
import { NOT_OUT_OF_MEMORY, OOM_MEMORY_MB, OUT_OF_MEMORY } from '../support/oom-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker } from '../support/test-worker.js';

const LONGEST_WAIT_MS = 600_000;

await using worker = await startTestWorker({
  runtimes: [python({ preload: [], poolSize: 2 }), shell],
  settings: { worker: { slots: 2 }, sandbox: { diskMb: 256 } },
});
const load = () => loadavg()[0]?.toFixed(1);
console.log(`load before: ${load()}`);

/** Submits `count` jobs, the cases in turn, and hands over each result with its case. */
async function each<T extends readonly [string, 'python' | 'shell', Record<string, string>, ...unknown[]]>(
  cases: readonly T[],
  count: number,
  job: (index: number) => { memoryMb?: number; timeoutMs?: number },
  take: (result: PublishedResult, of: T, index: number) => void,
): Promise<void> {
  const submitted = [];
  for (let index = 0; index < count; index++) {
    const of = cases[index % cases.length] as T;
    submitted.push({ of, id: await worker.submit(of[2], { runtime: of[1], ...job(index) }) });
  }
  for (const [index, { of, id }] of submitted.entries()) take(await worker.result(id, LONGEST_WAIT_MS), of, index);
}

async function outOfMemory(): Promise<void> {
  const wrong: string[] = [];
  let right = 0;
  const check = (result: PublishedResult, [name, runtime]: readonly [string, string, ...unknown[]], code?: unknown) => {
    if (result.errorCode === code) right++;
    else wrong.push(`${name} (${runtime}): ${result.errorCode}, not ${code}`);
  };
  const job = () => ({ memoryMb: OOM_MEMORY_MB });
  await each(OUT_OF_MEMORY, 100, job, (result, of) => check(result, of, 'NG_OUT_OF_MEMORY'));
  console.log(`out of memory: ${right} of 100 told`);
  right = 0;
  await each(NOT_OUT_OF_MEMORY, 100, job, (result, of) => check(result, of, of[3]));
  console.log(`not out of memory: ${100 - right} of 100 wrongly told`);
  for (const line of wrong) console.log(line);
}

async function deadlines(cases: typeof ENDLESS, count: number): Promise<void> {
  const over: { ms: number; name: string }[] = [];
  const outside: number[] = [];
  const limit = (index: number) => 100 + ((index * 37) % 201);
  await each(
    cases,
    count,
    (index) => ({ timeoutMs: limit(index) }),
    (result, [name, runtime], index) => {
      if (result.errorCode !== 'NG_TIMEOUT') console.log(`${name} (${runtime}): ${result.errorCode}`);
      // With all of the clean-up and the way to the container and back.
      outside.push((result.phases.exec ?? 0) - limit(index));
      over.push({ ms: result.durationMs - limit(index), name: `${name} (${runtime})` });
    },
  );
  over.sort((a, b) => a.ms - b.ms);
  outside.sort((a, b) => a - b);
  for (const [label, at] of [
    ['p50', 0.5],
    ['p95', 0.95],
    ['p99', 0.99],
    ['max', 1],
  ] as const) {
    const place = Math.min(over.length - 1, Math.floor(over.length * at));
    const { ms, name } = over[place] as { ms: number; name: string };
    console.log(
      `${label}: ${ms.toFixed(1)} ms over the limit (${name}); seen from outside ${outside[place]?.toFixed(1)}`,
    );
  }
}

if (process.argv[2] === 'deadlines') await deadlines(ENDLESS, 200);
else if (process.argv[2] === 'forking') await deadlines(FORKING, Number(process.argv[3] ?? 100));
else await outOfMemory();
console.log(`load after: ${load()}`);
