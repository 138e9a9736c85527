/**
 * Kills a worker 30 times at each stage of a job and prints what became of it. Run by hand, after `npm run build`:
 *
 *     node .build/tests/campaigns/aws-crashes.js [kills at each stage, default 30] [chains at once, default 3]
 */

import { crashCampaign } from '../support/aws-crashes.js';
import { STAGES } from '../support/aws-stages.js';

const [kills = 30, chains = 3] = process.argv.slice(2).map(Number);
const rounds = Math.ceil(kills / chains);
const begun = performance.now();
const report = await crashCampaign({ chains, rounds, sweepMs: 10_000, say: (text) => console.error(text) });
console.log({ ...report, published: Object.fromEntries(report.published) });
console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s`);
const expected = chains * rounds * STAGES.length;
const isWell =
  report.published.get(1) === expected &&
  report.wrong.length + report.orphans.length + report.messagesLeft === 0 &&
  report.neighbourUntouched;
console.log(isWell ? `${expected} kills, ${expected} single results` : 'not as it should be');
process.exitCode = isWell ? 0 : 1;
