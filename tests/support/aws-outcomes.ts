/** What happens to the message: each row of the contract's table, on an emulator, a real Redis and real containers. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataPlane } from './aws-data-plane.js';
import type { AwsWorker } from './services/aws-worker.js';
import type { AwsEmulator } from './services/fauxqs.js';
import { camelMessage, snakeMessage } from './services/job-messages.js';
import type { TestQueue } from './services/queues.js';
import { zip } from './zip.js';

const EMPTY = { waiting: 0, inFlight: 0, deadLetters: 0 };
/** What depends on the machine and the moment. */
const MEASURED =
  /"(queue|fetch|extract|acquire|build|exec|collect|publish|durationMs|execution_time_ms|peakMemoryBytes|peak_memory_mb|cpuMs)":[\d.]+/g;

export function describeOutcomes(name: AwsEmulator['name'], start: () => Promise<AwsEmulator>): void {
  describe(`the outcomes of messages, on the emulator ${name}`, () => {
    let plane: DataPlane;
    /** Has a dead-letter queue, and delivers twice. */
    let queue: TestQueue;
    let worker: AwsWorker;
    /** Delivers more often than any test needs. */
    let patientQueue: TestQueue;
    let patient: AwsWorker;

    beforeAll(async () => {
      plane = await DataPlane.start(start);
      queue = await plane.queue({ maxReceiveCount: 2, visibilitySeconds: 3 });
      worker = await plane.worker(queue);
      patientQueue = await plane.queue({ maxReceiveCount: 100, visibilitySeconds: 3 });
      patient = await plane.worker(patientQueue);
    });
    afterAll(() => plane?.close());

    /** Nothing is left in the queue, in flight or among the dead letters. */
    const isDone = (of = queue) => expect.poll(of.depth).toEqual(EMPTY);

    async function put(script: string): Promise<{ id: string; functionId: string; key: string }> {
      const id = plane.name('job');
      const key = `functions/${id}/code.zip`;
      await plane.code.put(key, { 'main.sh': script });
      return { id, functionId: 'f', key };
    }

    const published = (text: string | undefined) =>
      (text ?? '')
        .replace(MEASURED, '"$1":0')
        .replace(/"start":"(cold|warm|reused)"/, '"start":"warm"')
        .replace(/"peakMemorySource":"\w+"/, '"peakMemorySource":"cgroup"');

    test('user code that ends well: the documented fields, byte for byte, and no more of the message', async () => {
      const script = 'mkdir -p /output/a; echo hi > /output/a/b.txt; echo to-stderr >&2; cat';
      const camel = await put(script);
      const snake = await put(script);
      await queue.send(camelMessage({ ...camel, input: { n: [1, 'é'] } }));
      await queue.send(snakeMessage({ ...snake, input: { n: [1, 'é'] } }));
      await plane.results.all([camel.id, snake.id]);
      const url = (id: string) => `${plane.faults.s3.endpoint}/outputs/outputs/${id}/a/b.txt`;
      expect(published(plane.results.texts(camel.id)[0])).toBe(
        `{"requestId":"${camel.id}","functionId":"f","runtime":"shell","runtimeVersion":"5.2","status":"SUCCESS",` +
          '"exitCode":0,"stdout":"{\\"n\\":[1,\\"é\\"]}","stderr":"to-stderr\\n","result":{"n":[1,"é"]},"durationMs":0,' +
          '"phases":{"queue":0,"fetch":0,"extract":0,"acquire":0,"build":0,"exec":0,"collect":0,"publish":0,"start":"warm"},' +
          '"peakMemoryBytes":0,"peakMemorySource":"cgroup","cpuMs":0,"memoryMb":256,' +
          `"outputFiles":["${url(camel.id)}"],"attempt":1}`,
      );
      expect(published(plane.results.texts(snake.id)[0])).toBe(
        `{"job_id":"${snake.id}","function_id":"f","status":"completed","result":{"n":[1,"é"]},"error":null,` +
          '"error_code":null,"exit_code":0,"logs":"{\\"n\\":[1,\\"é\\"]}\\nto-stderr\\n",' +
          `"output_files":["${url(snake.id)}"],"execution_time_ms":0,"peak_memory_mb":0,"optimization_tip":null,` +
          '"llm_usage":null,"attempt":1}',
      );
      expect(String(await plane.outputs.get(`outputs/${camel.id}/a/b.txt`))).toBe('hi\n');
      const { redis } = plane.results;
      for (const { id } of [camel, snake]) {
        expect(await redis.get(`result:${id}`)).toBe(plane.results.texts(id)[0]);
        expect(await redis.get(`job:${id}`)).toBe('completed');
        for (const key of [`result:${id}`, `job:${id}`]) {
          expect(await redis.ttl(key)).toBeGreaterThan(3_500);
          expect(await redis.ttl(key)).toBeLessThanOrEqual(3_600);
        }
      }
      await isDone();
    });

    test('user code that ends badly: told, and no more of the message', async () => {
      const camel = await put('echo before; exit 3');
      const snake = await put('echo before; exit 3');
      await queue.send(camelMessage(camel));
      await queue.send(snakeMessage(snake));
      expect(await plane.results.result(camel.id)).toMatchObject({
        requestId: camel.id,
        status: 'FAILED',
        errorCode: 'NG_EXIT_CODE',
        exitCode: 3,
        stdout: 'before\n',
      });
      expect(await plane.results.result(snake.id)).toMatchObject({
        job_id: snake.id,
        status: 'failed',
        error_code: 'NG_EXIT_CODE',
        exit_code: 3,
        logs: 'before\n',
      });
      expect(await plane.results.redis.get(`job:${snake.id}`)).toBe('failed');
      await isDone();
    });

    test('the message is deleted after the result is safe', async () => {
      const job = await put('echo');
      const { hit } = await plane.faults.redis.fail(({ from, data }) =>
        from === 'client' && data.includes(`result:${job.id}`) && data.includes('SUCCESS')
          ? { kind: 'hang' }
          : undefined,
      );
      const isDeletion = ({ operation = '' }) => operation.startsWith('DeleteMessage');
      const deletion = await plane.faults.sqs.fail((asked) => (isDeletion(asked) ? { kind: 'hang' } : undefined));
      let deleting = false;
      void deletion.hit.then(() => {
        deleting = true;
      });
      await queue.send(camelMessage(job));
      await hit;
      expect(deleting).toBe(false);
      expect(plane.results.texts(job.id)).toEqual([]);
      await plane.faults.redis.clear();
      await deletion.hit;
      // Redis itself has it by now; that it is heard here too may take a moment.
      expect(await plane.results.redis.exists(`result:${job.id}`)).toBe(1);
      await plane.results.result(job.id);
      const { waiting, inFlight } = await queue.depth();
      expect(waiting + inFlight).toBe(1);
      await plane.faults.sqs.clear();
      await isDone();
      expect(plane.results.texts(job.id)).toHaveLength(1);
    });

    test('a body that is no valid job, its id readable: ERROR with the field named, in its dialect', async () => {
      const { key } = await put('echo');
      const [a, b] = [plane.name('bad'), plane.name('bad')];
      await queue.send({ requestId: a, runtime: 'shell', s3Key: key, timeoutMs: -1 });
      await queue.send({ job_id: b, runtime: 'shell', s3_key: '../x' });
      const camel = await plane.results.result(a);
      expect(camel).toMatchObject({ requestId: a, status: 'ERROR', errorCode: 'NG_MESSAGE_INVALID' });
      expect(camel.errorMessage).toContain('timeoutMs');
      const snake = await plane.results.result(b);
      expect(snake).toMatchObject({ job_id: b, status: 'failed', error_code: 'NG_MESSAGE_INVALID' });
      expect(snake.error).toContain('s3_key');
      await isDone();
    });

    test('a body that is no valid job, its id unreadable: to the dead-letter queue, logged', async () => {
      await queue.send('{"runtime": nonsense');
      await expect.poll(async () => (await queue.depth()).deadLetters).toBe(1);
      expect((await queue.takeDeadLetters()).map(({ Body }) => Body)).toEqual(['{"runtime": nonsense']);
      await worker.until(() => worker.log.includes('message is no valid job'), 30_000, 'for its line');
      await isDone();
    });

    test('code that is missing: kept, and run once it is there, after a growing delay', async () => {
      const id = plane.name('late');
      const key = `functions/${id}/code.zip`;
      await patientQueue.send(camelMessage({ id, functionId: 'f', key }));
      // The last line may not be whole yet.
      const lines = () => patient.log.split('\n').slice(0, -1);
      const said = () => lines().filter((line) => line.includes('NG_CODE_NOT_FOUND') && line.includes(id));
      await patient.until(() => said().length >= 2, 60_000, 'for two failures');
      expect(plane.results.texts(id)).toEqual([]);
      const [one = 0, two = 0] = said().map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
      // A second, less up to half of it by chance.
      expect(two - one).toBeGreaterThan(450);
      await plane.code.put(key, { 'main.sh': 'echo here' });
      const result = await plane.results.result(id);
      expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'here\n' });
      expect(result.attempt).toBeGreaterThanOrEqual(3);
      await isDone(patientQueue);
    });

    test.each([
      ['denied', { kind: 'error', status: 403, code: 'AccessDenied' }, 'NG_CODE_UNAVAILABLE'],
      ['broken', { kind: 'error', status: 500, code: 'InternalError' }, 'NG_CODE_UNAVAILABLE'],
    ] as const)('code that is %s: kept, and run once it can be read', async (_what, fault, code) => {
      const job = await put('echo read');
      const { hit } = await plane.faults.s3.fail(({ path }) => (path.includes(job.key) ? fault : undefined));
      await patientQueue.send(camelMessage(job));
      await hit;
      await patient.until(
        () => patient.log.split('\n').some((line) => line.includes(code) && line.includes(job.id)),
        60_000,
        code,
      );
      expect(plane.results.texts(job.id)).toEqual([]);
      await plane.faults.s3.clear();
      const result = await plane.results.result(job.id);
      expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'read\n' });
      expect(result.attempt).toBeGreaterThanOrEqual(2);
      await isDone(patientQueue);
    });

    test.each([
      ['missing code', { key: 'functions/nowhere.zip' }, 'NG_CODE_NOT_FOUND'],
      ['an unknown runtime', { runtime: 'cobol' }, 'NG_RUNTIME_UNKNOWN'],
    ])('%s on the last delivery: ERROR, and left for the dead-letter queue', async (_what, change, errorCode) => {
      const job = { ...(await put('echo')), ...change };
      await queue.send(snakeMessage(job));
      expect(await plane.results.result(job.id)).toMatchObject({ status: 'failed', error_code: errorCode, attempt: 2 });
      await expect.poll(async () => (await queue.depth()).deadLetters).toBe(1);
      expect((await queue.takeDeadLetters())[0]?.Body).toContain(job.id);
      expect(plane.results.texts(job.id)).toHaveLength(1);
      await isDone();
    });

    test('a runtime that this worker does not know: kept for another that does', async () => {
      const shared = await plane.queue({ maxReceiveCount: 10, visibilitySeconds: 3 });
      const job = { ...(await put('echo')), runtime: 'cobol' };
      await using second = await plane.worker(shared);
      await shared.send(camelMessage(job));
      await second.until(() => second.log.includes('NG_RUNTIME_UNKNOWN'), 60_000, 'for it to be refused');
      expect(plane.results.texts(job.id)).toEqual([]);
      const { waiting, inFlight } = await shared.depth();
      expect(waiting + inFlight).toBe(1);
    });

    test('an archive that is unsafe or broken: FAILED, the entry named', async () => {
      const [unsafe, broken] = [await put('echo'), await put('echo')];
      const archive = await zip({ 'aaaa/main.sh': 'echo' });
      // The name in both headers, as no program would write it.
      for (let at = archive.indexOf('aaaa/'); at >= 0; at = archive.indexOf('aaaa/')) archive.write('../a/', at);
      await plane.code.put(unsafe.key, archive);
      await plane.code.put(broken.key, archive.subarray(0, 40));
      await queue.send(camelMessage(unsafe));
      await queue.send(camelMessage(broken));
      const first = await plane.results.result(unsafe.id);
      expect(first).toMatchObject({ status: 'FAILED', attempt: 1 });
      expect(first.errorMessage).toContain('../a/main.sh');
      expect(await plane.results.result(broken.id)).toMatchObject({ status: 'FAILED', attempt: 1 });
      await isDone();
    });

    test('Redis is unreachable after a run: kept on disk, the message deleted, published when it is back', async () => {
      const job = await put('echo safe');
      await worker.hold('afterExec', job.id);
      await queue.send(camelMessage(job));
      await worker.at('afterExec', job.id);
      await plane.faults.redis.fail({ kind: 'refuse' });
      await worker.letGo();
      await isDone();
      expect(plane.results.texts(job.id)).toEqual([]);
      await plane.faults.redis.clear();
      expect(await plane.results.result(job.id)).toMatchObject({ status: 'SUCCESS', stdout: 'safe\n' });
      expect(plane.results.texts(job.id)).toHaveLength(1);
    });

    test('the same, and the worker is killed: its next start publishes', async () => {
      const own = await plane.queue({ maxReceiveCount: 5, visibilitySeconds: 3 });
      const directory = await plane.workerDirectory();
      const job = await put('echo kept');
      const first = await plane.worker(own, { directory });
      await first.hold('afterExec', job.id);
      await own.send(camelMessage(job));
      await first.at('afterExec', job.id);
      await plane.faults.redis.fail({ kind: 'refuse' });
      await first.letGo();
      await isDone(own);
      await first.kill();
      await plane.faults.redis.clear();
      expect(plane.results.texts(job.id)).toEqual([]);
      await using _second = await plane.worker(own, { directory });
      expect(await plane.results.result(job.id)).toMatchObject({ status: 'SUCCESS', stdout: 'kept\n' });
      expect(plane.results.texts(job.id)).toHaveLength(1);
    });

    test('without a dead-letter queue what nobody can be told of is deleted, and a job has the configured deliveries', async () => {
      const bare = await plane.queue({ visibilitySeconds: 3 });
      await using second = await plane.worker(bare, { options: { sqs: { maxAttempts: 2 } } });
      await bare.send('nonsense');
      await isDone(bare);
      await second.until(() => second.log.includes('message is no valid job'), 30_000, 'for its line');
      const id = plane.name('gone');
      await bare.send(camelMessage({ id, functionId: 'f', key: 'functions/nowhere.zip' }));
      expect(await plane.results.result(id)).toMatchObject({
        status: 'ERROR',
        errorCode: 'NG_CODE_NOT_FOUND',
        attempt: 2,
      });
      await isDone(bare);
    });

    test('a FIFO queue: jobs of a group in order, and its dead letters', async () => {
      const fifo = await plane.queue({ fifo: true, maxReceiveCount: 1, visibilitySeconds: 3 });
      const job = await put('cat');
      const ids = [1, 2, 3].map((n) => `${job.id}-${n}`);
      for (const id of ids) await fifo.send(camelMessage({ ...job, id, input: id }));
      await fifo.send('nonsense');
      // With a single delivery none may come into view again because the machine kept its worker waiting.
      await using second = await plane.worker(fifo, { options: { sqs: { visibilityMs: 60_000 } } });
      await plane.results.all(ids);
      const order = second.reached.filter(({ stage }) => stage === 'beforeFetch').map(({ job }) => job);
      expect([...new Set(order)]).toEqual(ids);
      await expect.poll(async () => (await fifo.depth()).deadLetters).toBe(1);
      await fifo.takeDeadLetters();
      await isDone(fifo);
    });
  });
}
