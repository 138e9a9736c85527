/**
 * A worker whose data folder, with the embedded queue and results, is on a disk that becomes full while a job runs, and
 * gets room again. Started with the folder in a mount namespace of its own, where a small disk is mounted there; prints
 * what happened as JSON. Owns the worker and the file that fills the disk.
 */

import { join } from 'node:path';
import { shell } from './shell-runtime.js';
import { fillDisk, freeDisk } from './small-disk.js';
import { type PublishedResult, startTestWorker } from './test-worker.js';

export interface FullDataFolderReport {
  /** Codes of the errors that senders were told, and how many messages were accepted meanwhile. */
  readonly refused: readonly string[];
  readonly accepted: number;
  readonly whileFull: { readonly failing: Readonly<Record<string, string>>; readonly state: string | undefined };
  readonly result: PublishedResult;
  /** The status of each accepted message's job, once there was room. */
  readonly others: readonly string[];
  readonly after: { readonly status: string; readonly slots: { readonly total: number; readonly free: number } };
}

const SENT = 50;
const [folder = ''] = process.argv.slice(2);
const until = async (isTrue: () => Promise<boolean> | boolean) => {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 50));
};

await using worker = await startTestWorker({
  runtimes: [shell],
  settings: { worker: { slots: 1 } },
  twins: { maxAttempts: 50 },
  dataDir: join(folder, 'data'),
});
const { client } = worker;
const key = await worker.put({ 'main.sh': 'cat; sleep 10; head -c 900000 /dev/zero | tr "\\0" x' });
const echo = await worker.put({ 'main.sh': 'cat > /dev/null; echo other' });
const id = await worker.submit(undefined, { runtime: 'shell', key, input: 'held' });
await until(async () => (await worker.worker.status()).activeJobs === 1);
await fillDisk(folder);

const message = (n: number) => ({ requestId: `other-${n}`, runtime: 'shell', s3Key: echo, input: 'y'.repeat(100_000) });
const sends = await Promise.allSettled(
  Array.from({ length: SENT }, (_, n) => client.queue.send(JSON.stringify(message(n)))),
);
const refused = sends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason.code)] : []));
await until(async () => (await worker.worker.health()).status === 'unhealthy');
const { failing } = await worker.worker.health();
// The job has ended, and its result has nowhere to go.
await until(async () => ((await worker.worker.status()).pool.runtimes.shell?.busy ?? 0) === 0);
const state = (await client.results.get(id))?.state;

await freeDisk(folder);
const result = await worker.result(id);
const others: string[] = [];
for (const [n, { status }] of sends.entries()) {
  if (status === 'fulfilled') others.push((await worker.result(`other-${n}`)).status);
}
await until(async () => (await worker.worker.health()).status === 'healthy');
await until(async () => (await worker.worker.status()).slots.free === 1);
const { slots } = await worker.worker.status();
const report: FullDataFolderReport = {
  refused,
  accepted: SENT - refused.length,
  whileFull: { failing, state },
  result,
  others,
  after: { status: (await worker.worker.health()).status, slots },
};
console.log(JSON.stringify(report));
