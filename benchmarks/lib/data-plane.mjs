/**
 * A job through real protocols: a worker in its own process, an SQS and S3 emulator and a Redis in theirs, all on loopback;
 * and the bare round trips that such a job cannot do without. Owns all of them.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { expectEqual } from './timed.mjs';

/** What the tests start as services, compiled by the set-up. */
const service = (name) => import(new URL(`../../.build/tests/support/services/${name}.js`, import.meta.url).href);

const CONFIG = `import { defineConfig } from '@nanogrid/core';
import redis from '@nanogrid/plugin-redis';
import s3 from '@nanogrid/plugin-s3';
import sqs from '@nanogrid/plugin-sqs';
import python from '@nanogrid/runtime-python';
export default defineConfig({ runtimes: [python()], plugins: [sqs({ waitMs: 5_000 }), s3(), redis()], http: { port: 0 } });
`;
/** Between two jobs, so that the one before is deleted and cleaned up after: as in the paced row of the embedded queue. */
const PAUSE_MS = 5;

export class DataPlane {
  #stops = [];
  #sqs;
  #s3;
  #results;
  #queue;
  #bare;
  #serial = 0;

  /** Resolves when the worker takes jobs. `code` is the function's `main.py`. */
  static async start({ code, signal }) {
    const plane = new DataPlane();
    try {
      await plane.#start(code, signal);
      return plane;
    } catch (error) {
      await plane.stop();
      throw error;
    }
  }

  async #start(code, signal) {
    // Else the SDK says at its first use which Node it will need one day, in the midst of the progress.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    const modules = ['aws-clients', 'aws-worker', 'buckets', 'fauxqs', 'queues', 'redis-server', 'result-listener'];
    const [
      clients,
      { AwsWorker },
      { makeBucket },
      { startFauxqs },
      { makeQueue },
      { startRedis },
      { listenForResults },
    ] = await Promise.all(modules.map(service));
    const keep = (one) => {
      this.#stops.push(() => one.close());
      return one;
    };
    const emulator = keep(await startFauxqs());
    const redis = keep(await startRedis({ durable: false }));
    this.#results = keep(await listenForResults(redis));
    this.#sqs = clients.sqsClient(emulator.endpoint);
    this.#s3 = clients.s3Client(emulator.endpoint);
    this.#stops.push(() => [this.#sqs, this.#s3].forEach((client) => void client.destroy()));
    this.#queue = await makeQueue(this.#sqs, 'jobs');
    this.#bare = await makeQueue(this.#sqs, 'bare');
    const bucket = await makeBucket(this.#s3, 'code');
    await bucket.put('f.zip', { 'main.py': code });
    signal.throwIfAborted();
    const endpoints = { sqs: emulator.endpoint, s3: emulator.endpoint };
    const env = { LOG_LEVEL: 'info' };
    keep(
      await AwsWorker.start({
        ...{ queueUrl: this.#queue.url, endpoints, redis, env, config: CONFIG },
        ...{ codeBucket: 'code', outputBucket: 'code' },
      }),
    );
  }

  /** One job: from before its message is sent until its result is heard, in milliseconds. */
  async job(wanted) {
    await sleep(PAUSE_MS);
    const requestId = `job-${++this.#serial}`;
    const message = { requestId, functionId: 'f', runtime: 'python', s3Key: 'f.zip', input: { name: 'bench' } };
    const begun = performance.now();
    await this.#queue.send(message);
    const result = await this.#results.result(requestId);
    const value = performance.now() - begun;
    expectEqual(result.result, wanted);
    return { value, phases: result.phases };
  }

  /**
   * What such a job cannot do without, in milliseconds: a message is sent and received, the code's version is asked for,
   * a result is stored and heard. The deletion is left out, as nobody waits for it.
   */
  async roundTrips() {
    const id = `bare-${++this.#serial}`;
    const QueueUrl = this.#bare.url;
    const receiving = this.#sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
    // The receive waits at the server, as a worker's does.
    await sleep(PAUSE_MS);
    const begun = performance.now();
    await this.#sqs.send(
      new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify({ id, fill: 'x'.repeat(100) }) }),
    );
    const { Messages: [message] = [] } = await receiving;
    await this.#s3.send(new HeadObjectCommand({ Bucket: 'code', Key: 'f.zip' }));
    const heard = this.#results.result(id);
    const text = JSON.stringify({ id, fill: 'x'.repeat(600) });
    await this.#results.redis.multi().set(`result:${id}`, text, 'PX', 3_600_000).publish(`result:${id}`, text).exec();
    await heard;
    const value = performance.now() - begun;
    await this.#sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
    return { value };
  }

  async stop() {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }
}

/**
 * @param {{ plane: DataPlane, greeting: object }} options
 * @returns {Record<string, import('./sides.mjs').Side>}
 */
export function dataPlaneSides({ plane, greeting }) {
  return {
    'own data plane': { perRound: 20, warmUp: 60, sample: () => plane.job(greeting) },
    'bare data plane': { perRound: 20, warmUp: 30, sample: () => plane.roundTrips() },
    'own data plane, beyond': {
      perRound: 20,
      warmUp: 5,
      // Each job against round trips of the same moment.
      sample: async () => {
        const { value: bare } = await plane.roundTrips();
        const { value, phases } = await plane.job(greeting);
        return { value: value - bare, phases };
      },
    },
  };
}
