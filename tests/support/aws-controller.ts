/** Controllers and workers of one fleet: DynamoDB, SQS and S3 on emulators, a real Redis. Owns all of them; `close` ends them in reverse. */

import { join } from 'node:path';
import { Controller } from '@nanogrid/controller';
import { loadConfig, type Settings, Worker } from '@nanogrid/core';
import { dynamodb } from '@nanogrid/plugin-dynamodb';
import { redis } from '@nanogrid/plugin-redis';
import { s3 } from '@nanogrid/plugin-s3';
import { sqs } from '@nanogrid/plugin-sqs';
import { AWS_ENVIRONMENT, s3Client, sqsClient } from './services/aws-clients.js';
import { makeBucket } from './services/buckets.js';
import { startDynalite } from './services/dynalite.js';
import { startFauxqs } from './services/fauxqs.js';
import { makeQueue } from './services/queues.js';
import { startRedis } from './services/redis-server.js';
import { shell } from './shell-runtime.js';
import { apiAt } from './test-controller.js';

/** `directory` is where workers keep their things; the SDK's credentials are the process's. */
export async function startAwsFleet(directory: string) {
  const stops: (() => unknown)[] = [];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  let serial = 0;

  async function start() {
    const emulator = await startFauxqs();
    stops.push(emulator.close);
    const table = await startDynalite();
    stops.push(table.close);
    const server = await startRedis();
    stops.push(server.close);
    const clients = { sqs: sqsClient(emulator.endpoint), s3: s3Client(emulator.endpoint) };
    stops.push(() => Object.values(clients).forEach((client) => void client.destroy()));
    const [queue, code] = [await makeQueue(clients.sqs, 'jobs'), await makeBucket(clients.s3, 'code')];
    await makeBucket(clients.s3, 'outputs');
    return { emulator, table, server, queue, code };
  }

  const { emulator, table, server, queue, code } = await start().catch(async (error) => {
    await close();
    throw error;
  });

  /** Both roles read the same file in a fleet; so do they here. `place` is where Redis is. */
  async function load(
    place: { readonly host: string; readonly port: number },
    settings: Settings,
    commandTimeoutMs = 10_000,
  ) {
    const env = {
      ...AWS_ENVIRONMENT,
      SQS_QUEUE_URL: queue.url,
      S3_CODE_BUCKET: code.name,
      S3_USER_DATA_BUCKET: 'outputs',
      S3_BUCKET: code.name,
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: table.endpoint,
      REDIS_HOST: place.host,
      REDIS_PORT: `${place.port}`,
    };
    const overrides = {
      dataDir: join(directory, `data-${++serial}`),
      workDir: join(directory, `work-${serial}`),
      runtimes: [shell],
      plugins: [
        sqs({ waitMs: 1_000, visibilityMs: 10_000, stopWaitMs: 1_500 }),
        s3(),
        redis({ commandTimeoutMs }),
        dynamodb({ createTable: true }),
      ],
      ...settings,
    };
    return { loaded: await loadConfig({ cwd: directory, env, overrides }), env };
  }

  async function worker(place: { readonly host: string; readonly port: number } = server): Promise<Worker> {
    const worker = new Worker(await load(place, { worker: { slots: 2 } }));
    stops.push(() => worker.stop());
    await worker.start();
    return worker;
  }

  /** A controller with the configuration in a folder, as it is but for the address. */
  async function controllerOf(folder: string) {
    const { env } = await load(server, {});
    const overrides = { dataDir: join(directory, 'example'), controller: { host: '127.0.0.1', port: 0 } };
    return begin({ loaded: await loadConfig({ cwd: folder, env, overrides }), env });
  }

  /** `commandTimeoutMs`: how long it waits for Redis. */
  async function controller(settings: Settings['controller'] = {}, commandTimeoutMs?: number) {
    return begin(await load(server, { controller: { port: 0, ...settings } }, commandTimeoutMs));
  }

  async function begin(options: ConstructorParameters<typeof Controller>[0]) {
    const controller = new Controller(options);
    stops.push(() => controller.stop());
    await controller.start();
    const { address } = controller;
    return { address, ...apiAt(address), stop: () => controller.stop() };
  }

  return { server, queue, code, worker, controller, controllerOf, close };
}

export type AwsFleet = Awaited<ReturnType<typeof startAwsFleet>>;

export type AwsController = Awaited<ReturnType<AwsFleet['controller']>>;
