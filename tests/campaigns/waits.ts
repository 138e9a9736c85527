/**
 * The full count behind `tests/integration/controller-waits.test.ts`, by hand:
 * `npm run build && node .build/tests/campaigns/waits.js [5000]`. Prints what was answered wrong, and figures.
 * It needs two open files for each request (`ulimit -n 16384`).
 */

import { loadavg } from 'node:os';
import { holdRequests } from '../support/waiting-requests.js';

const count = Number(process.argv[2] ?? 5_000);
console.log(`load before: ${loadavg()[0]?.toFixed(1)}`);
const { answered, wrong, rssMb, answeredInMs } = await holdRequests(count);
for (const line of wrong.slice(0, 20)) console.log(line);
console.log(`${answered} of ${count} answered, ${wrong.length} of them wrong, within ${Math.round(answeredInMs)} ms`);
console.log(`memory of the controller: ${rssMb.before} MiB, ${rssMb.waiting} while all waited, ${rssMb.after} after`);
console.log(`load after: ${loadavg()[0]?.toFixed(1)}`);
if (wrong.length > 0 || answered !== count) process.exitCode = 1;
