/** An emulator, a Redis, buckets, queues and workers for one test file. Owns all of them; `close` ends them in reverse. */

import { rm } from 'node:fs/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { s3Client, sqsClient } from './services/aws-clients.js';
import { AwsWorker, type AwsWorkerOptions, makeWorkerDirectory } from './services/aws-worker.js';
import { makeBucket, type TestBucket } from './services/buckets.js';
import { type CloudWatch, startCloudWatch } from './services/cloudwatch.js';
import type { AwsEmulator } from './services/fauxqs.js';
import { type HttpFaultProxy, startHttpFaultProxy } from './services/http-fault-proxy.js';
import { makeQueue, type QueueOptions, type TestQueue } from './services/queues.js';
import { type RedisServer, startRedis } from './services/redis-server.js';
import { listenForResults, type ResultListener } from './services/result-listener.js';
import { startTcpFaultProxy, type TcpFaultProxy } from './services/tcp-fault-proxy.js';

export class DataPlane {
  readonly #stops: (() => Promise<unknown>)[] = [];
  #serial = 0;

  private constructor(
    readonly emulator: AwsEmulator,
    readonly server: RedisServer,
    readonly sqs: SQSClient,
    readonly s3: S3Client,
    /** Code, and what functions put out. */
    readonly code: TestBucket,
    readonly outputs: TestBucket,
    /** Hears results from Redis itself, whatever is between it and the workers. */
    readonly results: ResultListener,
    /** Between the workers and each service. */
    readonly faults: {
      readonly sqs: HttpFaultProxy;
      readonly s3: HttpFaultProxy;
      readonly cloudWatch: HttpFaultProxy;
      readonly redis: TcpFaultProxy;
    },
    readonly metrics: CloudWatch,
  ) {}

  static async start(startEmulator: () => Promise<AwsEmulator>): Promise<DataPlane> {
    const stops: (() => Promise<unknown>)[] = [];
    try {
      const emulator = await startEmulator();
      stops.push(emulator.close);
      const server = await startRedis();
      stops.push(server.close);
      const results = await listenForResults(server);
      stops.push(results.close);
      const metrics = await startCloudWatch();
      stops.push(metrics.close);
      const faults = {
        sqs: await startHttpFaultProxy(emulator.endpoint),
        s3: await startHttpFaultProxy(emulator.endpoint),
        cloudWatch: await startHttpFaultProxy(metrics.endpoint),
        redis: await startTcpFaultProxy(server),
      };
      for (const proxy of Object.values(faults)) stops.push(proxy.close);
      const [sqs, s3] = [sqsClient(emulator.endpoint), s3Client(emulator.endpoint)];
      for (const client of [sqs, s3]) stops.push(async () => client.destroy());
      const [code, outputs] = [await makeBucket(s3, 'code'), await makeBucket(s3, 'outputs')];
      const plane = new DataPlane(emulator, server, sqs, s3, code, outputs, results, faults, metrics);
      plane.#stops.push(...stops);
      return plane;
    } catch (error) {
      for (const stop of stops.reverse()) await stop();
      throw error;
    }
  }

  queue(options: QueueOptions = {}): Promise<TestQueue> {
    return makeQueue(this.sqs, `queue-${++this.#serial}`, options);
  }

  /** A worker of the queue, with the proxies between it and the services; short waits, so that tests are short. */
  async worker(queue: TestQueue, options: Partial<AwsWorkerOptions> = {}): Promise<AwsWorker> {
    const { sqs, s3, cloudWatch, redis } = this.faults;
    const worker = await AwsWorker.start({
      queueUrl: queue.url,
      endpoints: { sqs: sqs.endpoint, s3: s3.endpoint, cloudWatch: cloudWatch.endpoint },
      redis,
      codeBucket: this.code.name,
      outputBucket: this.outputs.name,
      ...options,
      options: {
        redis: { commandTimeoutMs: 1_000 },
        ...options.options,
        sqs: { visibilityMs: 3_000, waitMs: 1_000, requestTimeoutMs: 3_000, ...options.options?.sqs },
      },
    });
    this.#stops.push(() => worker.close());
    return worker;
  }

  /** A folder that several workers may have, one after the other. */
  async workerDirectory(): Promise<string> {
    const directory = await makeWorkerDirectory();
    this.#stops.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  /** A name that nothing else has. */
  name(what: string): string {
    return `${what}-${++this.#serial}`;
  }

  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }
}
