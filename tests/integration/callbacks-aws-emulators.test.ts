/** Callbacks of a fleet: two HTTP fronts and a real worker that share a real Redis; SQS and S3 on the emulator fauxqs, DynamoDB on dynalite. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type AwsController, type AwsFleet, startAwsFleet } from '../support/aws-controller.js';
import { startReceiver } from '../support/callback-receiver.js';
import { AWS_ENVIRONMENT } from '../support/services/aws-clients.js';
import { zip } from '../support/zip.js';

const SECRET = `whsec_${'A'.repeat(32)}`;
const WAIT = { timeout: 200_000 };
let directory: string;
let fleet: AwsFleet;
let first: AwsController;
let second: AwsController;
let receiver: Awaited<ReturnType<typeof startReceiver>>;

beforeAll(async () => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-callbacks-'));
  receiver = await startReceiver();
  fleet = await startAwsFleet(directory);
  const settings = { callbacks: { secret: SECRET, allow: ['127.0.0.1'] } };
  first = await fleet.controller(settings);
  second = await fleet.controller(settings);
  await fleet.worker();
});

afterAll(async () => {
  await fleet?.close();
  await receiver?.close();
  await rm(directory, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

async function submit(api: AwsController, script: string): Promise<string> {
  const { answer: fn } = await api.upload({ function_name: 'f', runtime: 'shell' }, await zip({ 'main.sh': script }));
  const body = { function_id: fn.function_id, payload: 7, callback_url: receiver.url };
  const { status, answer } = await api.call('POST', '/run', body, { 'x-async': 'true' });
  expect(status).toBe(202);
  return answer.job_id;
}

const callbackOf = async (api: AwsController, jobId: string) =>
  (await api.call('GET', `/status/${jobId}`)).answer.callback;

test('what a worker made of a job is told by the controller that took it, or by the other where that is gone', async () => {
  const quick = await submit(first, 'cat');
  await expect.poll(() => callbackOf(second, quick), WAIT).toMatchObject({ state: 'delivered', attempts: 1 });
  // It ends when the other controller has long stopped: the job takes back nothing of that.
  const late = await submit(first, 'sleep 3; cat');
  await first.stop();
  await expect.poll(() => callbackOf(second, late), WAIT).toMatchObject({ state: 'delivered', attempts: 1 });
  const told = receiver.received.map(({ body, headers }) => new Webhook(SECRET).verify(body, headers as never));
  expect(told).toMatchObject(
    [quick, late].map((job_id) => ({ type: 'job.completed', data: { job_id, status: 'completed', result: 7 } })),
  );
});
