/** How much one busy function feels of many others on the same worker: hot jobs before, between and after them. Owns no state. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Far fewer containers than functions: every other one must make room. */
export const GROWTH_SETTINGS = { pool: { maxContainers: 6 }, code: { cacheBytes: 1 << 20 } };

const HELLO = readFileSync(new URL('../functions/hello.py', import.meta.url), 'utf8');
/** Each function's code is some 8 KiB, so that 1,000 are many times what the cache may hold. */
const PADDING = `# ${'x'.repeat(8_000)}\n`;
const WARM_UP = 100;
/** Between hot jobs, so that the clean-up of one is not measured with the next. */
const PAUSE_MS = 5;

/**
 * @param {{ worker: import('./bench-worker.mjs').BenchWorker, functions: number, hotJobs: number, signal: AbortSignal, say: (text: string) => void, sample?: (functionsSoFar: number) => Promise<void> }} options
 * @returns {Promise<Record<'before' | 'during' | 'after', { value: number, phases: object }[]>>} milliseconds of hot jobs
 */
export async function measureGrowth({ worker, functions, hotJobs, signal, say, sample }) {
  const input = { name: 'growth' };
  const key = await worker.put({ 'main.py': HELLO });
  const hot = async () => {
    await sleep(PAUSE_MS, undefined, { signal });
    const { ms, result } = await worker.run({ s3Key: key, runtime: 'python', input }, signal);
    return { value: ms, phases: result.phases };
  };
  const many = async (count) => {
    const values = [];
    for (let n = 0; n < count; n++) values.push(await hot());
    return values;
  };
  await many(WARM_UP);
  await worker.untilIdle('python', signal);
  const before = await many(hotJobs);
  const during = [];
  for (let n = 1; n <= functions; n++) {
    const other = await worker.put({ 'main.py': `${HELLO}${PADDING}# function ${n}\n` });
    await worker.run({ s3Key: other, runtime: 'python', input }, signal);
    // Its replacement is being started: what that takes of the processors is not what growth costs.
    await worker.untilIdle('python', signal);
    during.push(...(await many(Math.ceil(hotJobs / functions))));
    if (n % 100 === 0 || n === functions) {
      say(`${n} of ${functions} functions`);
      await sample?.(n);
    }
  }
  return { before, during, after: await many(hotJobs) };
}
