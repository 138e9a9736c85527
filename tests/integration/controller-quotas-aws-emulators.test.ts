/** Quotas of a key at two HTTP fronts of a fleet together, which share a real Redis; DynamoDB on the emulator dynalite, SQS and S3 on fauxqs. No worker is needed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApiKey } from '@nanogrid/controller';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type AwsController, type AwsFleet, startAwsFleet } from '../support/aws-controller.js';
import { AWS_ENVIRONMENT } from '../support/services/aws-clients.js';
import { zip } from '../support/zip.js';

const PER_MINUTE = 60;
const WAIT = { timeout: 200_000 };
/** Nobody counts alone because the machine is slow: the longest that Redis may take to answer. */
const PATIENT_MS = 20_000;
const keys = { plain: newApiKey(), rate: newApiKey(), few: newApiKey(), alone: newApiKey() };
let directory: string;
let fleet: AwsFleet;
let both: readonly [AwsController, AwsController];
/** They wait for what they share no longer than they do by themselves. */
let hasty: readonly [AwsController, AwsController];

beforeAll(async () => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-quotas-'));
  fleet = await startAwsFleet(directory);
  const apiKeys = [
    { id: 'plain', hash: keys.plain.hash, owner: 'a' },
    { id: 'rate', hash: keys.rate.hash, owner: 'a', ratePerMinute: PER_MINUTE },
    { id: 'few', hash: keys.few.hash, owner: 'a', maxConcurrent: 3 },
    { id: 'alone', hash: keys.alone.hash, owner: 'a', ratePerMinute: PER_MINUTE, maxConcurrent: 1 },
  ];
  const settings = { apiKeys, sharedLimitsMs: PATIENT_MS };
  both = [await fleet.controller(settings, PATIENT_MS), await fleet.controller(settings, PATIENT_MS)];
  hasty = [await fleet.controller({ apiKeys }), await fleet.controller({ apiKeys })];
});

afterAll(async () => {
  await fleet?.close();
  await rm(directory, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const at = (n: number): AwsController => both[n % 2] as AwsController;
const auth = (key: keyof typeof keys) => ({ authorization: `Bearer ${keys[key].key}` });

/** Asks until it is refused; how often it was not, and how many that may have been: the bucket, and what came in meanwhile. */
async function drain(key: keyof typeof keys, controllerOf: (n: number) => AwsController) {
  const begun = performance.now();
  for (let served = 0; ; ) {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => controllerOf(n).call('GET', '/functions', undefined, auth(key))),
    );
    served += answers.filter(({ status }) => status === 200).length;
    const refused = answers.find(({ status }) => status !== 200);
    const most = PER_MINUTE + Math.ceil(((performance.now() - begun) / 60_000) * PER_MINUTE);
    if (refused !== undefined) return { served, most, refused };
  }
}

test('the rate of a key counts at both together', async () => {
  const { served, most, refused } = await drain('rate', at);
  expect(refused).toMatchObject({ status: 429, answer: { error: { code: 'RATE_LIMITED' } } });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(served).toBeGreaterThanOrEqual(PER_MINUTE);
  expect(served).toBeLessThanOrEqual(most);
});

test('so do its requests that wait, and their places are free again when they leave', async () => {
  const fields = { function_name: 'f', runtime: 'shell' };
  const { answer: fn } = await at(0).upload(fields, await zip({ 'main.sh': 'true' }), 'code.zip', auth('plain'));
  const redis = new Redis({ host: fleet.server.host, port: fleet.server.port });
  onTestFinished(() => redis.disconnect());
  const jobs = async () => (await redis.keys('job:*')).length;
  const refused: number[] = [];
  /** Waits until it leaves, or is refused. */
  const run = (n: number, leaving: AbortSignal) =>
    fetch(`${at(n).address}/run`, {
      method: 'POST',
      headers: { ...auth('few'), 'content-type': 'application/json' },
      body: JSON.stringify({ function_id: fn.function_id }),
      signal: leaving,
    }).then(
      ({ status }) => void refused.push(status),
      () => {},
    );
  const first = new AbortController();
  const waits = [0, 1, 0, 1, 0, 1].map((n) => run(n, first.signal));
  await expect.poll(() => refused, WAIT).toEqual([429, 429, 429]);
  await expect.poll(jobs, WAIT).toBe(3);
  first.abort();
  await Promise.all(waits);
  // All places at one of them: what the other one had was given back, if only a moment later.
  const second = new AbortController();
  const again: Promise<void>[] = [];
  await expect
    .poll(async () => {
      if ((await jobs()) < 6) again.push(run(0, second.signal));
      return await jobs();
    }, WAIT)
    .toBe(6);
  second.abort();
  await Promise.all(again);
});

test('without what they share each counts for itself, and serves on', async () => {
  await fleet.server.stop();
  for (const controller of hasty) {
    const { served, most } = await drain('alone', () => controller);
    expect(served).toBeGreaterThanOrEqual(PER_MINUTE);
    expect(served).toBeLessThanOrEqual(most);
  }
});
