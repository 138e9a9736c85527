/** The end-to-end script against a fleet: controller and worker in processes of their own; SQS and S3 on the emulator fauxqs, DynamoDB on the emulator dynalite, a real Redis. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FleetProcesses, startFleetProcesses } from '../support/aws-fleet-processes.js';
import type { AwsWorker } from '../support/services/aws-worker.js';
import { type OllamaStandIn, startOllamaStandIn } from '../support/services/ollama-stand-in.js';

const E2E = fileURLToPath(new URL('../../examples/e2e.sh', import.meta.url));
/** The languages are compiled for the first time, on a machine that may be busy. */
const LONG = { timeout: 1_200_000 };

let ollama: OllamaStandIn;
let fleet: FleetProcesses;
let controller: AwsWorker;
let worker: AwsWorker;

beforeAll(async () => {
  ollama = await startOllamaStandIn();
  const settings = { aiEndpoint: ollama.address, network: { grants: { '*': 'ai' } } };
  fleet = await startFleetProcesses({ settings });
  [controller, worker] = await Promise.all([fleet.start('controller'), fleet.start('worker')]);
}, 1_200_000);

afterAll(async () => {
  await fleet?.close();
  await ollama?.close();
});

test('every check of the script holds, each job has one result, and nothing is left in the queue', LONG, async () => {
  const env = { ...process.env, BASE_URL: controller.api, API_KEY: fleet.key, LLM_MODEL: 'a-model' };
  const script = spawn('bash', [E2E], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [[exitCode], out, err] = await Promise.all([once(script, 'close'), text(script.stdout), text(script.stderr)]);
  expect(out).not.toMatch(/^FAIL/m);
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
  expect(out).toMatch(/^PASS {2}hello-go answers$/m);
  expect(out).toMatch(/^PASS {2}a function that asks a language model$/m);
  expect(out).toMatch(/^PASS {2}a wrong key$/m);
  expect(out).toMatch(/^\d{2} passed, 0 failed$/m);

  const counts = [...fleet.results.counts().values()];
  expect(counts.length).toBeGreaterThan(8);
  expect(counts.every((count) => count === 1)).toBe(true);
  await expect.poll(fleet.queue.depth).toEqual({ waiting: 0, inFlight: 0, deadLetters: 0 });
  expect(await controller.stop()).toBe(0);
  expect(await worker.stop()).toBe(0);
});
