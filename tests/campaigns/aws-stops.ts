/**
 * Stops a worker 100 times, with jobs in every state, and prints how it ended. Run by hand, after `npm run build`:
 *
 *     node .build/tests/campaigns/aws-stops.js [times, default 100]
 */

import { DRAIN_MS, stopCampaign } from '../support/aws-stops.js';

const [times = 100] = process.argv.slice(2).map(Number);
const { exitCodes, published, ...rest } = await stopCampaign({ times, say: (text) => console.error(text) });
console.log({ exitCodes: Object.fromEntries(exitCodes), published: Object.fromEntries(published), ...rest, DRAIN_MS });
const isWell = exitCodes.get(0) === times && rest.notHandedBack === 0 && [...published.keys()].join() === '1';
console.log(isWell ? `${times} stops, ${times} times exit code 0` : 'not as it should be');
process.exitCode = isWell ? 0 : 1;
