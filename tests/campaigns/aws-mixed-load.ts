/**
 * Ten minutes of mixed load through a controller, on a fleet of two workers of which one is killed every minute, and what
 * became of every job. Run by hand, after `npm run build`:
 *
 *     node .build/tests/campaigns/aws-mixed-load.js [minutes, default 10] [seconds between kills, default 60] [seed, default 1]
 */

import { mixedLoad } from '../support/mixed-load.js';

const [minutes = 10, killSeconds = 60, seed = 1] = process.argv.slice(2).map(Number);
const begun = performance.now();
const report = await mixedLoad({
  durationMs: minutes * 60_000,
  killEveryMs: killSeconds * 1_000,
  clients: 8,
  seed,
  say: (text) => console.error(`${((performance.now() - begun) / 1000).toFixed(0)} s: ${text}`),
});
for (const wait of report.waitsEnded) console.log(`a wait that ended: ${wait}`);
console.log({ ...report, published: Object.fromEntries(report.published), waitsEnded: report.waitsEnded.length });
console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s`);
const jobs = Object.values(report.accepted).reduce((sum, count) => sum + count, 0);
const isWell =
  jobs > 0 &&
  report.published.get(1) === jobs &&
  report.unknown + report.wrong.length === 0 &&
  Object.values(report.messagesLeft).every((count) => count === 0) &&
  report.exitCodes.every((code) => code === 0);
console.log(isWell ? `${report.kills} kills, ${jobs} jobs accepted, ${jobs} single results` : 'not as it should be');
process.exitCode = isWell ? 0 : 1;
