/** A process that publishes results through an outbox until it is killed. Started with an IPC channel; tells what is safe. */

import { silentLogger } from '@nanogrid/core';
import { RedisResults } from '@nanogrid/plugin-redis';
import { makeResult } from './redis-result.js';

const [port = '', directory = '', prefix = '', count = '0', stream] = process.argv.slice(2);
const results = new RedisResults({
  connection: { host: '127.0.0.1', port: Number(port), db: 0, tls: false, commandTimeoutMs: 1_000 },
  outbox: { directory },
  log: silentLogger,
});
await results.open();
for (let n = 0; n < Number(count); n++) {
  const jobId = `${prefix}-${n}`;
  const events = stream === undefined ? {} : { events: [{ stream, maxLength: 1_000_000, fields: { jobId } }] };
  await results.publish(makeResult(jobId, events), 'camel');
  process.send?.(jobId);
}
process.send?.('done');
process.once('SIGTERM', async () => {
  await results.close();
  process.disconnect();
});
