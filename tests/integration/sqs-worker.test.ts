/** A whole worker with the plugin `sqs`, on the emulator fauxqs: the contract's table of outcomes, faults, and a stop. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { definePlugin, loadConfig, type Settings, Worker } from '@nanogrid/core';
import { type Local, openLocal } from '@nanogrid/plugin-local';
import { sqs } from '@nanogrid/plugin-sqs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { AWS_ENVIRONMENT, sqsClient } from '../support/services/aws-clients.js';
import { type AwsEmulator, startFauxqs } from '../support/services/fauxqs.js';
import { startHttpFaultProxy } from '../support/services/http-fault-proxy.js';
import { makeQueue, type QueueOptions } from '../support/services/queues.js';
import { shell } from '../support/shell-runtime.js';
import { zip } from '../support/zip.js';

let emulator: AwsEmulator;
let client: SQSClient;
let serial = 0;

beforeAll(async () => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
  emulator = await startFauxqs();
  client = sqsClient(emulator.endpoint);
});
afterAll(async () => {
  client?.destroy();
  await emulator?.close();
  vi.unstubAllEnvs();
});

/** Everything but the queue, from the embedded stores. */
function stores(local: Local) {
  return definePlugin({
    name: 'test-stores',
    version: '0.1.0',
    core: '*',
    provides: ['codeStore', 'outputStore', 'resultStore'],
    optionsSchema: { type: 'object', additionalProperties: false, properties: {} },
    apply(host) {
      host.provide('codeStore', local.code);
      host.provide('outputStore', local.outputs);
      host.provide('resultStore', local.results);
      host.hooks.onResult.tapPromise({ name: 'publish', required: true }, async (result, job) => {
        await local.results.publish(result, job.dialect);
      });
    },
  })();
}

interface Options extends QueueOptions {
  readonly options?: Parameters<typeof sqs>[0];
  readonly settings?: Settings;
  /** Instead of the emulator. */
  readonly endpoint?: string;
}

async function make({ options, settings = {}, endpoint = emulator.endpoint, ...queueOptions }: Options = {}) {
  const queue = await makeQueue(client, `work-${++serial}`, queueOptions);
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
  const local = await openLocal({ directory: join(directory, 'stores') });
  const plugin = sqs({ queueUrl: queue.url, endpoint, waitMs: 1_000, ...options });
  const loaded = await loadConfig({
    cwd: directory,
    overrides: {
      dataDir: join(directory, 'data'),
      workDir: join(directory, 'work'),
      ...settings,
      runtimes: [shell],
      plugins: [plugin, stores(local)],
    },
  });
  const worker = new Worker({ loaded, env: AWS_ENVIRONMENT });
  onTestFinished(async () => {
    await worker.stop();
    await local.close();
    await rm(directory, { recursive: true, force: true });
  });
  await worker.start();
  const put = async (main: string) => {
    const s3Key = `f${++serial}/code.zip`;
    await local.code.put({ bucket: undefined, key: s3Key }, await zip({ 'main.sh': main }));
    return s3Key;
  };
  const send = async (main: string, more: object = {}) => {
    const requestId = `job-${++serial}`;
    await queue.send({ requestId, runtime: 'shell', s3Key: await put(main), ...more });
    return requestId;
  };
  const result = async (id: string) => {
    const found = await local.results.wait(id, AbortSignal.timeout(200_000));
    return found as Record<string, unknown>;
  };
  const settled = (expected: object) => expect.poll(() => queue.depth()).toMatchObject(expected);
  return { worker, queue, local, put, send, result, settled };
}

const EMPTY = { waiting: 0, inFlight: 0, deadLetters: 0 };

describe('the table of outcomes', () => {
  test('what ends, well or badly, is deleted after its result, in the dialect it was asked in', async () => {
    const { queue, put, send, result, settled } = await make({ maxReceiveCount: 3 });
    const ids = [await send('echo ok'), await send('exit 3')];
    const s3_key = await put('echo ok');
    await queue.send({ job_id: 'snake-1', runtime: 'shell', s3_key, timeout: 5 });
    expect(await result(ids[0] ?? '')).toMatchObject({ status: 'SUCCESS', stdout: 'ok\n', attempt: 1 });
    expect(await result(ids[1] ?? '')).toMatchObject({ status: 'FAILED', exitCode: 3 });
    expect(await result('snake-1')).toMatchObject({ job_id: 'snake-1', status: 'completed', logs: 'ok\n' });
    await settled(EMPTY);
  });

  test('no valid job: answered and deleted where its id can be read, else a dead letter; the loop goes on', async () => {
    const { queue, send, result, settled } = await make({ maxReceiveCount: 3 });
    await queue.send({ requestId: 'faulty', runtime: 7, s3Key: 'x' });
    for (const body of ['{', '[]', '""', `${'['.repeat(10_000)}`]) await queue.send(body);
    expect(await result('faulty')).toMatchObject({ status: 'ERROR', errorCode: 'NG_MESSAGE_INVALID' });
    expect(await result(await send('echo next'))).toMatchObject({ stdout: 'next\n' });
    await settled({ waiting: 0, inFlight: 0, deadLetters: 4 });
  });

  test('no dead-letter queue: what cannot be read is deleted, and counted on the status', async () => {
    const { worker, queue, settled } = await make();
    await queue.send('{');
    await settled(EMPTY);
    await expect.poll(async () => (await worker.status()).queue).toMatchObject({ dropped: 1, deadLetters: null });
  });

  test.each([
    ['code that is missing', { s3Key: 'nowhere.zip' }, 'NG_CODE_NOT_FOUND'],
    ['a runtime that is unknown here', { runtime: 'cobol' }, 'NG_RUNTIME_UNKNOWN'],
  ])(
    '%s: kept and tried later; on the last delivery an ERROR, and left to the dead-letter queue',
    async (_name, more, errorCode) => {
      const { send, result, settled } = await make({ maxReceiveCount: 2 });
      const id = await send('echo ok', more);
      // The first result there is is that of the second delivery.
      expect(await result(id)).toMatchObject({ status: 'ERROR', errorCode, attempt: 2 });
      await settled({ waiting: 0, inFlight: 0, deadLetters: 1 });
    },
  );

  test('an archive that is broken: FAILED with its fault, deleted', async () => {
    const { local, queue, result, settled } = await make({ maxReceiveCount: 3 });
    await local.code.put({ bucket: undefined, key: 'broken.zip' }, Buffer.from('PK\u0003\u0004 no archive at all'));
    await queue.send({ requestId: 'broken', runtime: 'shell', s3Key: 'broken.zip' });
    expect(await result('broken')).toMatchObject({ status: 'FAILED', errorCode: 'NG_ARCHIVE_BROKEN' });
    await settled(EMPTY);
  });
});

test('jobs longer than the visibility run once, the one that waits in line too', async () => {
  const { send, result, settled } = await make({
    options: { visibilityMs: 4_000 },
    settings: { worker: { slots: 1, prefetch: 1 } },
  });
  const ids = [await send('sleep 9; echo one'), await send('echo two')];
  for (const id of ids) expect(await result(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 });
  await settled(EMPTY);
});

test('a stop hands back at once what does not end in time, and what waits in line; both run elsewhere', async () => {
  const settings = { worker: { slots: 1, prefetch: 1, drainTimeoutMs: 1_500 } };
  const { worker, send, queue } = await make({ settings });
  await send('sleep 600');
  await send('echo waits');
  await expect.poll(async () => (await worker.status()).waitingJobs).toBe(1);
  await worker.stop();
  // Its visibility of five minutes did not have to end.
  expect(await queue.depth()).toMatchObject({ waiting: 2, inFlight: 0 });
});

test('a stop that is cut short hands back without waiting for the deadline', async () => {
  const { worker, send, queue } = await make({ settings: { worker: { slots: 1, drainTimeoutMs: 3_600_000 } } });
  await send('sleep 600');
  await expect.poll(async () => (await worker.status()).activeJobs).toBe(1);
  const stopped = worker.stop();
  await worker.handBack();
  expect(await queue.depth()).toMatchObject({ waiting: 1, inFlight: 0 });
  await stopped;
});

describe('faults between the worker and SQS', () => {
  test.each([
    ['throttling', 'ReceiveMessage', { kind: 'error', status: 400, code: 'RequestThrottled' }],
    ['5xx', 'ReceiveMessage', { kind: 'error', status: 500, code: 'InternalFailure' }],
    ['a missing queue', 'ReceiveMessage', { kind: 'error', status: 400, code: 'QueueDoesNotExist' }],
    ['expired credentials', 'ReceiveMessage', { kind: 'error', status: 403, code: 'ExpiredToken' }],
    ['nobody there', undefined, { kind: 'refuse' }],
  ] as const)('%s: told on the health, and over by itself', async (_name, operation, fault) => {
    await using proxy = await startHttpFaultProxy(emulator.endpoint);
    const { worker, send, result, settled } = await make({ endpoint: proxy.endpoint });
    await expect.poll(() => worker.health()).toMatchObject({ status: 'healthy' });
    await proxy.fail(operation === undefined ? fault : (asked) => (asked.operation === operation ? fault : undefined));
    await expect.poll(async () => (await worker.health()).failing.source).toContain('the SQS queue');
    const id = await send('echo ok');
    await proxy.clear();
    expect(await result(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 });
    await expect.poll(async () => (await worker.health()).status).toBe('healthy');
    await settled(EMPTY);
  });

  test('deletions that fail for a while: the message is kept invisible, deleted later, and run once', async () => {
    await using proxy = await startHttpFaultProxy(emulator.endpoint);
    const { worker, send, result, settled, queue } = await make({
      endpoint: proxy.endpoint,
      options: { visibilityMs: 6_000 },
    });
    const failing = { kind: 'error', status: 500, code: 'InternalFailure' } as const;
    await proxy.fail(({ operation }) => (operation === 'DeleteMessageBatch' ? failing : undefined));
    const id = await send('echo ok');
    expect(await result(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 });
    await expect.poll(async () => (await worker.health()).failing.source).toContain('Deleting messages of');
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 1 });
    await proxy.clear();
    await settled(EMPTY);
    await expect.poll(async () => (await worker.status()).processedJobs).toBe(1);
  });
});
