/** Messages that are wrong, come twice, take long or kill; dependencies that go and come back; stops. On the emulator fauxqs, a real Redis and real containers. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataPlane } from '../support/aws-data-plane.js';
import { OUTAGES, suffer } from '../support/aws-outages.js';
import { DRAIN_MS, stopCampaign } from '../support/aws-stops.js';
import { malformedMessages } from '../support/malformed-messages.js';
import type { AwsWorker } from '../support/services/aws-worker.js';
import { startFauxqs } from '../support/services/fauxqs.js';
import { camelMessage, snakeMessage } from '../support/services/job-messages.js';

const EMPTY = { waiting: 0, inFlight: 0, deadLetters: 0 };

describe('through the emulator fauxqs', () => {
  let plane: DataPlane;
  beforeAll(async () => {
    plane = await DataPlane.start(startFauxqs);
    await plane.code.put('echo.zip', { 'main.sh': 'cat' });
    await plane.code.put('slow.zip', { 'main.sh': 'sleep 3; cat' });
    await plane.code.put('long.zip', { 'main.sh': 'sleep 7; cat' });
  });
  afterAll(() => plane?.close());

  const runsOf = (workers: readonly AwsWorker[], id: string) =>
    workers.flatMap(({ reached }) => reached.filter(({ stage, job }) => stage === 'beforeExec' && job === id)).length;

  test('messages that are no jobs are answered or dead letters, each once, and the loop goes on', async () => {
    const queue = await plane.queue({ maxReceiveCount: 5 });
    await using _worker = await plane.worker(queue);
    const messages = malformedMessages(() => plane.name('malformed'), 'echo.zip');
    for (const { body } of messages) await queue.send(body);
    const good = plane.name('good');
    await queue.send(camelMessage({ id: good, functionId: 'f', key: 'echo.zip', input: 'on it goes' }));
    expect(await plane.results.result(good)).toMatchObject({ status: 'SUCCESS', result: 'on it goes' });
    const answered = messages.filter(({ id }) => id !== undefined);
    await plane.results.all(answered.map(({ id = '' }) => id));
    await expect.poll(queue.depth).toEqual({
      ...EMPTY,
      deadLetters: messages.length - answered.length,
    });
    const told = answered.map(({ what, id = '', names = '' }) => {
      const result = JSON.parse(plane.results.texts(id)[0] ?? '{}') as Record<string, string>;
      const { status, errorCode = result.error_code, errorMessage = result.error ?? '' } = result;
      const isError = status === ('requestId' in result ? 'ERROR' : 'failed');
      const isCode = errorCode === 'NG_MESSAGE_INVALID' || errorCode === 'NG_BUCKET_NOT_ALLOWED';
      return { what, right: isError && isCode && errorMessage.includes(names), times: plane.results.texts(id).length };
    });
    expect(told.filter(({ right, times }) => !right || times !== 1)).toEqual([]);
    const letters = (await queue.takeDeadLetters()).map(({ Body }) => Body);
    expect(letters.sort()).toEqual(
      messages
        .filter(({ id }) => id === undefined)
        .map(({ body }) => body)
        .sort(),
    );
  });

  test('the same message many times at once on two workers, and again later: one run, one result', async () => {
    const queue = await plane.queue({ maxReceiveCount: 20 });
    const workers = [await plane.worker(queue), await plane.worker(queue)];
    const [camel, snake] = [plane.name('twice'), plane.name('twice')];
    const send = async () => {
      await queue.send(camelMessage({ id: camel, functionId: 'f', key: 'slow.zip', input: 1 }));
      await queue.send(snakeMessage({ id: snake, functionId: 'f', key: 'echo.zip', input: 2 }));
    };
    for (let i = 0; i < 6; i++) await send();
    await plane.results.all([camel, snake]);
    await expect.poll(queue.depth).toEqual(EMPTY);
    await send();
    await expect.poll(queue.depth).toEqual(EMPTY);
    for (const id of [camel, snake]) {
      expect(plane.results.texts(id)).toHaveLength(1);
      expect(runsOf(workers, id)).toBe(1);
    }
    for (const worker of workers) await worker.close();
  });

  test('a job longer than the visibility runs once', async () => {
    const queue = await plane.queue({ maxReceiveCount: 20, visibilitySeconds: 3 });
    const options = { sqs: { visibilityMs: 3_000 } };
    const workers = [await plane.worker(queue, { options }), await plane.worker(queue, { options })];
    const id = plane.name('long');
    await queue.send(camelMessage({ id, functionId: 'f', key: 'long.zip', input: 1 }));
    expect(await plane.results.result(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 });
    await expect.poll(queue.depth).toEqual(EMPTY);
    expect(runsOf(workers, id)).toBe(1);
    for (const worker of workers) await worker.close();
  });

  test('a message that kills its worker ends among the dead letters', async () => {
    const queue = await plane.queue({ maxReceiveCount: 2, visibilitySeconds: 5 });
    const options = { sqs: { visibilityMs: 5_000 } };
    const id = plane.name('poison');
    for (const attempt of [1, 2]) {
      const worker = await plane.worker(queue, { options });
      await worker.hold('afterExtract', id);
      if (attempt === 1) await queue.send(camelMessage({ id, functionId: 'f', key: 'echo.zip' }));
      await worker.at('afterExtract', id);
      await worker.kill();
      await worker.close();
    }
    await using worker = await plane.worker(queue, { options });
    await expect.poll(async () => (await queue.depth()).deadLetters).toBe(1);
    expect((await queue.takeDeadLetters())[0]?.Body).toContain(id);
    const after = plane.name('after');
    await queue.send(camelMessage({ id: after, functionId: 'f', key: 'echo.zip', input: 1 }));
    expect(await plane.results.result(after)).toMatchObject({ status: 'SUCCESS' });
    expect(runsOf([worker], id)).toBe(0);
    await expect.poll(queue.depth).toEqual(EMPTY);
  });

  test('dependencies go all at once and come back, twice: nothing is lost, health tells the truth, no restart', {
    timeout: 900_000,
  }, async () => {
    const queue = await plane.queue({ maxReceiveCount: 100, visibilitySeconds: 3 });
    const options = {
      s3: { requestTimeoutMs: 1_000 },
      cloudWatch: { flushIntervalMs: 1_000, requestTimeoutMs: 1_000 },
    };
    await using worker = await plane.worker(queue, { options });
    for (const what of [
      ['sqs refuses', 's3 answers 500', 'redis hangs', 'cloudWatch refuses'],
      ['sqs is throttled', 's3 denies', 'redis is stopped and started again', 'cloudWatch hangs'],
    ]) {
      const outages = OUTAGES.filter((outage) => what.includes(outage.what));
      expect(outages).toHaveLength(what.length);
      const report = await suffer(outages, { plane, queue, worker, downMs: 3_000 });
      expect(report).toMatchObject({ untold: [], notFree: 0 });
      expect(report.stillFailing).toEqual({});
      await expect.poll(queue.depth).toEqual(EMPTY);
      for (const id of report.ids) {
        expect(plane.results.texts(id)).toHaveLength(1);
        const { status, result, outputFiles } = await plane.results.result(id);
        expect({ status, result, outputFiles }).toMatchObject({
          status: 'SUCCESS',
          result: id,
          outputFiles: [expect.stringContaining(`outputs/${id}/in.json`)],
        });
        expect(String(await plane.outputs.get(`outputs/${id}/in.json`))).toBe(JSON.stringify(id));
      }
    }
  });
});

test('workers that are asked to stop end well and in time, and hand back what does not (emulator fauxqs)', {
  timeout: 600_000,
}, async () => {
  const report = await stopCampaign({ times: 4 });
  expect(report).toMatchObject({ exitCodes: new Map([[0, 4]]), notHandedBack: 0, published: new Map([[1, 6]]) });
  // The drain, the receive that is under way, and what it takes to hand back and to remove containers on a busy machine;
  // the job that does not end would take ten minutes.
  expect(report.slowestMs).toBeLessThan(DRAIN_MS + 120_000);
});
