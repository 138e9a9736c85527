/**
 * A fleet in processes of its own, with the configuration of examples/aws-controller: controllers and workers as
 * `nanogrid start` runs them, SQS and S3 on the emulator fauxqs, DynamoDB on the emulator dynalite, a real Redis. Owns all
 * of them; `close` ends them in reverse.
 */

import { readFile, rm } from 'node:fs/promises';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { newApiKey } from '@nanogrid/controller';
import { dynamoDbClient, s3Client, sqsClient } from './services/aws-clients.js';
import { AwsWorker, makeWorkerDirectory } from './services/aws-worker.js';
import { makeBucket } from './services/buckets.js';
import { startDynalite } from './services/dynalite.js';
import { startFauxqs } from './services/fauxqs.js';
import { source } from './services/places.js';
import { makeQueue } from './services/queues.js';
import { startRedis } from './services/redis-server.js';
import { listenForResults } from './services/result-listener.js';

const TABLE = 'NanoGridFunctions';

export interface FleetOptions {
  /** Deliveries of a message before it goes to the dead letters. Default 5. */
  readonly maxReceiveCount?: number;
  /** Options of the plugin `sqs`. Default: none. */
  readonly sqs?: object;
  /** Settings of both roles, beside those of the example. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** What the processes log. Default `info`. */
  readonly logLevel?: string;
}

export async function startFleetProcesses(options: FleetOptions = {}) {
  const stops: (() => unknown)[] = [];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    return { ...(await compose(stops, options)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

export type FleetProcesses = Awaited<ReturnType<typeof startFleetProcesses>>;

async function compose(stops: (() => unknown)[], options: FleetOptions) {
  const emulator = await startFauxqs();
  stops.push(emulator.close);
  const table = await startDynalite();
  stops.push(table.close);
  const redis = await startRedis();
  stops.push(redis.close);
  const results = await listenForResults(redis);
  stops.push(results.close);
  const [sqs, s3, dynamoDb] = [
    sqsClient(emulator.endpoint),
    s3Client(emulator.endpoint),
    dynamoDbClient(table.endpoint),
  ];
  for (const client of [sqs, s3, dynamoDb]) stops.push(() => client.destroy());
  const queue = await makeQueue(sqs, 'nanogrid-jobs', { maxReceiveCount: options.maxReceiveCount ?? 5 });
  const [code, outputs] = [await makeBucket(s3, 'nanogrid-code'), await makeBucket(s3, 'nanogrid-outputs')];
  await dynamoDb.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'functionId', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'functionId', KeyType: 'HASH' }],
    }),
  );
  const { key, hash } = newApiKey();
  const config = await configuration(hash, options);

  /** A process of the fleet; `directory` is where another one was before it. */
  const start = async (role: 'worker' | 'controller', directory?: string): Promise<AwsWorker> => {
    const started = await AwsWorker.start({
      role,
      config,
      directory: directory ?? (await newDirectory()),
      queueUrl: queue.url,
      endpoints: { sqs: emulator.endpoint, s3: emulator.endpoint },
      redis,
      codeBucket: code.name,
      outputBucket: outputs.name,
      env: {
        S3_BUCKET: code.name,
        DYNAMODB_TABLE: TABLE,
        AWS_ENDPOINT_URL_DYNAMODB: table.endpoint,
        LOG_LEVEL: options.logLevel ?? 'info',
      },
    });
    stops.push(() => started.close());
    return started;
  };
  const newDirectory = async () => {
    const directory = await makeWorkerDirectory();
    stops.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  };
  return { key, queue, results, outputs, start };
}

/** The example's own file, but for its address and key, and what a test needs beside it. */
async function configuration(hash: string, { sqs, settings }: FleetOptions): Promise<string> {
  const example = await readFile(source('../../../examples/aws-controller/nanogrid.config.ts'), 'utf8');
  const own = JSON.stringify({ http: { port: 0 }, ...settings }).slice(1, -1);
  return [
    ["host: '0.0.0.0', port: 3000", "host: '127.0.0.1', port: 0"],
    [`\`sha256:\${'0'.repeat(64)}\``, `'${hash}'`],
    ['defineConfig({', `defineConfig({ ${own}, `],
    ['sqs()', `sqs(${sqs === undefined ? '' : JSON.stringify(sqs)})`],
  ].reduce((text, [before = '', after = '']) => {
    if (!text.includes(before)) throw new Error(`the example's configuration has no ${before}`);
    return text.replace(before, after);
  }, example);
}
