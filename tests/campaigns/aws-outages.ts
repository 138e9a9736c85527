/**
 * Takes each dependency away in each way, one after the other, and prints what one worker did meanwhile and afterwards.
 * Run by hand, after `npm run build`:
 *
 *     node .build/tests/campaigns/aws-outages.js [seconds of each, default 60] [part of its name, default all]
 */

import { DataPlane } from '../support/aws-data-plane.js';
import { OUTAGES, suffer } from '../support/aws-outages.js';
import { startFauxqs } from '../support/services/fauxqs.js';

const [seconds = '60', part = ''] = process.argv.slice(2);
const plane = await DataPlane.start(startFauxqs);
let bad = 0;
try {
  const queue = await plane.queue({ maxReceiveCount: 1_000, visibilitySeconds: 3 });
  const options = { s3: { requestTimeoutMs: 2_000 }, cloudWatch: { flushIntervalMs: 1_000, requestTimeoutMs: 2_000 } };
  await using worker = await plane.worker(queue, { options, env: { LOG_LEVEL: 'info' } });
  for (const outage of OUTAGES.filter(({ what }) => what.includes(part))) {
    const report = await suffer([outage], { plane, queue, worker, downMs: Number(seconds) * 1_000 });
    const single = report.ids.filter((id) => plane.results.texts(id).length === 1).length;
    const { untold, notFree, stillFailing, recoveryMs } = report;
    const isWell = single === report.ids.length && untold.length + notFree + Object.keys(stillFailing).length === 0;
    if (!isWell) bad++;
    const told = isWell ? '' : ` ${JSON.stringify({ untold, notFree, stillFailing })}`;
    const recovered = `recovered in ${(recoveryMs / 1_000).toFixed(1)} s`;
    console.log(
      `${isWell ? 'well' : 'NOT WELL'}: ${outage.what}, ${single} of ${report.ids.length} single results, ${recovered}${told}`,
    );
  }
} finally {
  await plane.close();
}
process.exitCode = bad === 0 ? 0 : 1;
