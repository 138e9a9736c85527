/**
 * A worker in a process of its own: tells its parent when it is ready, says on `measure` what it takes while it does
 * nothing, and stops when the parent closes the channel or is gone. With the argument `all` it has every language.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { BenchWorker, runtimesOf } from './bench-worker.mjs';
import { loadLanguages } from './languages.mjs';

const MEASURE_MS = 5_000;

const stopped = new AbortController();
process.once('disconnect', () => stopped.abort(new Error('the parent closed the channel')));
// Ctrl-C reaches the whole group of processes; the parent decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const settings = process.argv[2] === 'all' ? { runtimes: runtimesOf(await loadLanguages()) } : {};
const worker = await BenchWorker.start({ signal: stopped.signal, settings });
process.on('message', async () => {
  const before = process.cpuUsage();
  const begun = performance.now();
  await sleep(MEASURE_MS);
  const { user, system } = process.cpuUsage(before);
  const cpuPercent = (user + system) / 10 / (performance.now() - begun);
  if (process.connected) process.send({ rssMb: process.memoryUsage.rss() / 1e6, cpuPercent });
});
if (!stopped.signal.aborted) process.send('ready');
if (!stopped.signal.aborted) await new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
await worker.stop();
