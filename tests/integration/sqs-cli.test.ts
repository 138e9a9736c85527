/** `nanogrid queue` on the emulator fauxqs, as an operator calls it: its own processes, settings from the environment. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AWS_ENVIRONMENT, sqsClient } from '../support/services/aws-clients.js';
import { type AwsEmulator, startFauxqs } from '../support/services/fauxqs.js';
import { makeQueue, type TestQueue } from '../support/services/queues.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

let emulator: AwsEmulator;
let client: SQSClient;
let folder: string;
let queue: TestQueue;
let serial = 0;

beforeAll(async () => {
  emulator = await startFauxqs();
  client = sqsClient(emulator.endpoint);
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-queue-'));
  await symlink(MODULES, join(folder, 'node_modules'));
  await writeFile(join(folder, 'nanogrid.config.json'), '{"plugins": ["@nanogrid/plugin-sqs"]}');
});
afterAll(async () => {
  client?.destroy();
  await emulator?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  queue = await makeQueue(client, `cli-${++serial}`, { maxReceiveCount: 2 });
});

/** Its exit code, and what it wrote. */
function call(argv: string[], more: NodeJS.ProcessEnv = {}): Promise<{ exitCode: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH, ...AWS_ENVIRONMENT, AWS_ENDPOINT_URL: emulator.endpoint };
  const options = { cwd: folder, env: { ...env, SQS_QUEUE_URL: queue.url, ...more }, timeout: 100_000 };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, 'queue', ...argv], options, (_error, out, err) =>
      resolve({ exitCode: child.exitCode ?? -1, out, err }),
    );
  });
}

const job = (requestId: string) => ({ requestId, runtime: 'python', s3Key: 'f/code.zip' });

test('inspect, redrive and purge', async () => {
  // Two deliveries end in the dead-letter queue at the third receive.
  for (const body of [job('dead-1'), '{']) await queue.send(body);
  for (let i = 0; i < 6; i++) {
    await client.send(
      new ReceiveMessageCommand({ QueueUrl: queue.url, VisibilityTimeout: 0, MaxNumberOfMessages: 10 }),
    );
  }
  await queue.send(job('job-1'));

  const report = { name: queue.url, waiting: 1, inFlight: 0, delayed: 0, deadLetters: 2, maxAttempts: 2 };
  expect(JSON.parse((await call(['inspect', '--json'])).out)).toEqual(report);
  const dead = JSON.parse((await call(['inspect', '--dead-letters', '--json'])).out) as { messages: object[] };
  expect(dead.messages).toHaveLength(2);
  expect(dead.messages).toContainEqual(expect.objectContaining({ valid: true }));
  expect(dead.messages).toContainEqual(expect.objectContaining({ valid: false, body: '{' }));

  // The first look at a message that has two deliveries leaves it its last; the second one takes that.
  expect((await call(['inspect', '--peek', '1'])).err).toContain('counted as a delivery of 1 message');
  expect((await call(['inspect', '--peek', '1'])).err).toContain('the last delivery of 1 message');

  expect(await call(['redrive', '--max', '1'])).toMatchObject({ exitCode: 0, out: '1 dead letter sent again.\n' });
  expect((await queue.depth()).deadLetters).toBe(1);
  expect(await call(['purge', '--dead-letters', '--yes'])).toMatchObject({
    exitCode: 0,
    out: '1 dead letter deleted.\n',
  });
  await expect.poll(async () => (await queue.depth()).deadLetters).toBe(0);
  expect(await call(['purge', '--yes'])).toMatchObject({ exitCode: 0 });
  await expect.poll(() => queue.depth()).toMatchObject({ waiting: 0, inFlight: 0 });
});

test('a queue that is not there: which setting, where it came from, what to change', async () => {
  const { exitCode, out, err } = await call(['inspect'], { SQS_QUEUE_URL: `${queue.url}-not` });
  expect(exitCode).toBe(3);
  expect(out).toBe('');
  expect(err).toMatch(/^Error: Reading the attributes of the SQS queue .*QueueDoesNotExist/);
  expect(err).toMatch(/\nHint: .*queueUrl \(from .*SQS_QUEUE_URL.*\nCode: NG_QUEUE_FAILED/);
});
