/**
 * 1,000 jobs while every dependency of two workers fails now and then, and what became of them. Run by hand, after
 * `npm run build`:
 *
 *     node .build/tests/campaigns/aws-faults.js [jobs, default 1000] [seed, default 1]
 */

import { faultCampaign } from '../support/aws-faults.js';

const [jobs = 1_000, seed = 1] = process.argv.slice(2).map(Number);
const begun = performance.now();
const report = await faultCampaign({ jobs, seed, say: (text) => console.error(text) });
console.log({ ...report, published: Object.fromEntries(report.published) });
console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s`);
const isWell =
  report.published.get(1) === jobs &&
  report.wrong.length + report.messagesLeft + report.notFree + report.unhealthy.length === 0;
console.log(isWell ? `${jobs} jobs, ${report.injected} faults, ${jobs} single results` : 'not as it should be');
process.exitCode = isWell ? 0 : 1;
