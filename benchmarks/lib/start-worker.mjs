/** A worker in a process of its own: tells its parent when it is ready, and stops when the parent closes the channel or is gone. */

import { BenchWorker } from './bench-worker.mjs';

const stopped = new AbortController();
process.once('disconnect', () => stopped.abort(new Error('the parent closed the channel')));
// Ctrl-C reaches the whole group of processes; the parent decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const worker = await BenchWorker.start({ signal: stopped.signal });
if (!stopped.signal.aborted) process.send('ready');
if (!stopped.signal.aborted) await new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
await worker.stop();
