/** Workers that are killed at every stage of a job, on the emulator fauxqs and a real Redis. More by hand: tests/campaigns/aws-crashes.ts. */

import { expect, test } from 'vitest';
import { crashCampaign } from '../support/aws-crashes.js';
import { STAGES } from '../support/aws-stages.js';

test('a kill at any stage gives one published result, on the emulator fauxqs; the dead leave nothing', {
  timeout: 900_000,
}, async () => {
  // How soon the dead are swept is a figure of a machine that does nothing else, which the campaign measures.
  const report = await crashCampaign({ chains: 2, rounds: 1, sweepMs: 120_000 });
  expect(report).toEqual({
    kills: Object.fromEntries(STAGES.map((stage) => [stage, 2])),
    published: new Map([[1, 2 * STAGES.length]]),
    wrong: [],
    orphans: [],
    slowestSweepMs: expect.any(Number),
    messagesLeft: 0,
    neighbourUntouched: true,
  });
});
