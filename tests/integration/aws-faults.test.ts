/** Jobs while every dependency fails in every way, on the emulator fauxqs and a real Redis. More by hand: tests/campaigns/aws-faults.ts. */

import { expect, test } from 'vitest';
import { faultCampaign } from '../support/aws-faults.js';

test('faults of SQS, S3, Redis and CloudWatch: no job is lost, none is published twice, on the emulator fauxqs', {
  timeout: 900_000,
}, async () => {
  const { faults, injected, ...report } = await faultCampaign({ jobs: 100 });
  expect(report).toEqual({
    published: new Map([[1, 100]]),
    wrong: [],
    messagesLeft: 0,
    notFree: 0,
    unhealthy: [],
    exitCodes: [0, 0],
  });
  expect(injected).toBeGreaterThan(30);
  for (const counts of Object.values(faults)) expect(counts.passed).toBeGreaterThan(0);
});
