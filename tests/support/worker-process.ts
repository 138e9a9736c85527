/** A worker in a process of its own, so that it can be killed. Started with an IPC channel; tells when it is ready, and whenever it is asked how its pool is. */

import { loadConfig, Worker } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { cpp } from '@nanogrid/runtime-cpp';
import { shell } from './shell-runtime.js';

const [dataDir = '', workDir = ''] = process.argv.slice(2);
const loaded = await loadConfig({
  cwd: dataDir,
  overrides: {
    dataDir,
    workDir,
    runtimes: [shell, cpp({ poolSize: 0 })],
    plugins: [local({ maxAttempts: 20 })],
    worker: { slots: 2 },
  },
});
const worker = new Worker({ loaded });
await worker.start();
process.send?.('ready');
process.on('message', async () => process.send?.((await worker.status()).pool.runtimes.shell));
process.once('SIGTERM', async () => {
  await worker.stop();
  process.disconnect();
});
