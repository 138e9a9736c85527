/**
 * What an operator meets, with the configuration of `examples/aws-worker` and the command line as a process: a start, a
 * job, the page of metrics, a drain, the doctor, wrong settings. SQS and S3 are an emulator, Redis is a real server.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AWS_ENVIRONMENT, s3Client, sqsClient } from '../support/services/aws-clients.js';
import { containersOf, makeWorkerDirectory } from '../support/services/aws-worker.js';
import { makeBucket, type TestBucket } from '../support/services/buckets.js';
import { type CloudWatch, startCloudWatch } from '../support/services/cloudwatch.js';
import { type AwsEmulator, startFauxqs } from '../support/services/fauxqs.js';
import { makeQueue, type TestQueue } from '../support/services/queues.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';
import { listenForResults, type ResultListener } from '../support/services/result-listener.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/aws-worker/', import.meta.url));
const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const NANOGRID: readonly [string, ...string[]] = [process.execPath, BIN];
const NPX: readonly [string, ...string[]] = ['npx', '--no', 'nanogrid'];
const PASSWORD = 'hush-redis-password';

let directory: string;
let sqs: SQSClient;
let aws: AwsEmulator;
let cloudWatch: CloudWatch;
let redis: RedisServer;
let results: ResultListener;
let queue: TestQueue;
let code: TestBucket;
let environment: Record<string, string>;
let serial = 0;
const started = new Set<ChildProcess>();

beforeAll(async () => {
  directory = await makeWorkerDirectory();
  [aws, cloudWatch, redis] = await Promise.all([startFauxqs(), startCloudWatch(), startRedis({ password: PASSWORD })]);
  results = await listenForResults({ port: redis.port, password: PASSWORD });
  sqs = sqsClient(aws.endpoint);
  const s3 = s3Client(aws.endpoint);
  code = await makeBucket(s3, 'fleet-code');
  await makeBucket(s3, 'fleet-data');
  const { PATH = '', HOME = '', DOCKER_HOST } = process.env;
  environment = {
    ...{ PATH, HOME, ...AWS_ENVIRONMENT, ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }) },
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_ENDPOINT_URL_CLOUDWATCH: cloudWatch.endpoint,
    S3_CODE_BUCKET: code.name,
    S3_USER_DATA_BUCKET: 'fleet-data',
    REDIS_HOST: redis.host,
    REDIS_PORT: `${redis.port}`,
    REDIS_PASSWORD: PASSWORD,
    WARM_POOL_PYTHON_SIZE: '1',
    WARM_POOL_NODE_SIZE: '0',
    DOCKER_WORK_DIR_ROOT: join(directory, 'work'),
  };
  // The example as it is, but for its ports, since another worker may run on this machine, and for the wait of a stop.
  const text = await readFile(join(EXAMPLE, 'nanogrid.config.ts'), 'utf8');
  const config = text
    .replace('sqs()', 'sqs({ waitMs: 1_000 })')
    .replace('prometheus()', 'prometheus({ port: 0 })')
    .replace('plugins })', 'plugins, http: { port: 0 } })');
  await writeFile(join(directory, 'nanogrid.config.ts'), config);
  // The first one to need the image builds it; the tests below have less time than that takes.
  expect(await launch(['images', 'build'], { SQS_QUEUE_URL: `${aws.endpoint}/000000000000/jobs` }).ended).toMatchObject(
    {
      exitCode: 0,
    },
  );
}, 1_200_000);

beforeEach(async () => {
  // Each test has its own: what one leaves in a queue is no job of the next one's worker, whose stop would wait for it.
  queue = await makeQueue(sqs, `jobs-${++serial}`, { maxReceiveCount: 3 });
  environment.SQS_QUEUE_URL = queue.url;
});

afterEach(async () => {
  // Each with its whole group: `npx` has a child, which would take the next test's jobs.
  const ends = [...started].map((child) => {
    const closed = once(child, 'close');
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // It has ended by itself; what it wrote is about to be read to its end.
    }
    return closed;
  });
  await Promise.all(ends);
});

afterAll(async () => {
  sqs?.destroy();
  await Promise.all([results?.close(), aws?.close(), cloudWatch?.close(), redis?.close()]);
  await rm(directory, { recursive: true, force: true });
});

interface Command {
  readonly child: ChildProcess;
  readonly written: { out: string; err: string };
  readonly ended: Promise<{ exitCode: number | null; out: string; err: string }>;
  /** Resolves when `found` holds; throws where the command ends before. */
  until(found: () => boolean): Promise<void>;
}

/** `nanogrid …`, or another command with the same words, in a process group of its own, as a terminal and a service manager start it. */
function launch(
  argv: readonly string[],
  env: Record<string, string | undefined> = {},
  [program, ...words] = NANOGRID,
): Command {
  const all = Object.fromEntries(Object.entries({ ...environment, ...env }).filter(([, value]) => value !== undefined));
  const child = spawn(program, [...words, ...argv], {
    cwd: directory,
    env: all as NodeJS.ProcessEnv,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.err += text;
  });
  const ended = once(child, 'close').then(([exitCode]) => {
    started.delete(child);
    return { exitCode: exitCode as number | null, ...written };
  });
  const until = async (found: () => boolean) => {
    while (!found()) {
      const next = new AbortController();
      const said = [child.stdout, child.stderr].map((stream) => once(stream, 'data', next));
      const first = await Promise.race([...said, ended.then(() => 'over')]);
      next.abort();
      await Promise.allSettled(said);
      if (first === 'over' && !found()) throw new Error(`it ended before:\n${written.err}`);
    }
  };
  return { child, written, ended, until };
}

interface Line extends Record<string, unknown> {
  readonly msg: string;
}

function lines({ written }: Command): Line[] {
  const whole = written.err.slice(0, written.err.lastIndexOf('\n') + 1);
  return whole.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
}

async function start(argv: readonly string[] = [], program = NANOGRID) {
  const command = launch(['start', '--json', ...argv], {}, program);
  const served = () => lines(command).find(({ msg }) => msg === 'metrics are served')?.address;
  // Two pipes: what was written first is not what is read first.
  await command.until(() => command.written.out.includes('\n') && served() !== undefined);
  const ready = JSON.parse(command.written.out) as { state: string; pid: number; http: string };
  const metrics = String(served());
  const group = -(command.child.pid as number);
  return { command, ready, metrics, signalGroup: (name: NodeJS.Signals) => process.kill(group, name) };
}

async function put(name: string, script: string): Promise<string> {
  return code.put(`functions/${name}/code.zip`, { 'main.py': script });
}

const finding = (out: string, name: string) =>
  (JSON.parse(out) as { findings: { name: string; status: string; found: string; hint?: string }[] }).findings.find(
    (one) => one.name.startsWith(name),
  );

test('the example’s configuration has ten lines', async () => {
  const text = await readFile(join(EXAMPLE, 'nanogrid.config.ts'), 'utf8');
  expect(text.trimEnd().split('\n')).toHaveLength(10);
});

test('a worker of the fleet: a job, every line of its log, its metrics, and a drain in which it ends', async () => {
  const { command, ready, metrics, signalGroup } = await start(['--log-level', 'debug'], NPX);
  expect(ready).toMatchObject({ state: 'ready', plugins: expect.arrayContaining(['@nanogrid/plugin-sqs']) });

  const s3Key = await put('hello', 'import json, os\nprint(json.dumps({"hi": json.loads(os.environ["PAYLOAD"])}))');
  await queue.send({ requestId: 'hello-1', functionId: 'hello', runtime: 'Python3.9', s3Key, input: 'Ada' });
  expect(await results.result('hello-1')).toMatchObject({ status: 'SUCCESS', result: { hi: 'Ada' } });

  // Each stage has a line that says which job of which function it was, and how it went.
  const ofHello = () => lines(command).filter(({ jobId }) => jobId === 'hello-1');
  await command.until(
    () => ofHello().some(({ stage }) => stage === 'settle') && ofHello().some(({ msg }) => msg === 'job done'),
  );
  const stages = lines(command).filter(({ msg, jobId }) => jobId === 'hello-1' && msg === 'stage ended');
  for (const line of stages) expect(line).toMatchObject({ functionId: 'hello', ms: expect.any(Number) });
  expect(stages.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
    ...['receive done', 'fetch done', 'acquire done', 'exec done', 'collect done', 'publish done', 'settle published'],
  ]);
  expect(lines(command).filter(({ msg }) => /^job (accepted|done)$/.test(msg))).toMatchObject([
    { level: 'info', jobId: 'hello-1', functionId: 'hello', stage: 'receive', outcome: 'accepted' },
    { level: 'info', jobId: 'hello-1', functionId: 'hello', stage: 'publish', outcome: 'published', status: 'SUCCESS' },
  ]);

  const scrape = async () => await (await fetch(metrics)).text();
  // The queue is asked at most every five seconds, and may have been while the message was still in it.
  // A result is heard, and told of in the log, before the job's slot and its container are free.
  for (const told of [
    'nanogrid_queue_messages{state="waiting"} 0\n',
    'worker_jobs_processed_total{status="success",runtime="python",model=""} 1\n',
    'worker_job_duration_seconds_count{runtime="python",model=""} 1\n',
    'worker_active_jobs 0\n',
    'nanogrid_redis_outbox_entries{plugin="@nanogrid/plugin-redis"} 0\n',
    'nanogrid_pool_containers{runtime="python",state="bound"} 1\n',
  ])
    await expect.poll(scrape, { interval: 500 }).toContain(told);
  const status = async () => await (await fetch(`${ready.http}/status`)).json();
  await expect.poll(status, { interval: 500 }).toMatchObject({
    ...{ state: 'ready', version: expect.any(String), activeJobs: 0, failing: {}, queue: { waiting: 0 } },
    pool: { runtimes: { python: expect.any(Object), node: {} } },
  });

  // Told to stop, as a service manager tells a whole group, while a job runs; npx passes the signal on once more.
  const slow = await put('slow', 'import time\ntime.sleep(1.5)\nprint("\\"done\\"")');
  await queue.send({ requestId: 'slow-1', functionId: 'slow', runtime: 'python', s3Key: slow });
  await command.until(() => lines(command).some(({ jobId, stage }) => jobId === 'slow-1' && stage === 'acquire'));
  signalGroup('SIGTERM');
  // npx ends by the signal that it was sent, however the worker ends.
  const { out, err } = await command.ended;
  expect(lines(command).at(-1)).toMatchObject({ msg: 'stopped' });
  expect(await results.result('slow-1')).toMatchObject({ status: 'SUCCESS', result: 'done', attempt: 1 });
  expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0, deadLetters: 0 });
  expect(await containersOf(ready.pid)).toEqual([]);
  expect(cloudWatch.metrics('NanoGrid/FunctionRunner').map(({ MetricName }) => MetricName)).toContain(
    'PeakMemoryBytes',
  );
  for (const secret of [PASSWORD, AWS_ENVIRONMENT.AWS_SECRET_ACCESS_KEY]) expect(`${out}${err}`).not.toContain(secret);
});

test('a second signal ends it at once, and hands the job back before', async () => {
  const { command, ready } = await start(['--log-level', 'debug']);
  const forever = await put('forever', 'import time\ntime.sleep(600)');
  await queue.send({ requestId: 'forever-1', functionId: 'forever', runtime: 'python', s3Key: forever });
  await command.until(() => lines(command).some(({ jobId, stage }) => jobId === 'forever-1' && stage === 'acquire'));
  process.kill(ready.pid, 'SIGTERM');
  await command.until(() => command.written.err.includes('a second signal ends the process at once'));
  // What comes within a quarter of a second is taken for the same request.
  await new Promise((resolve) => setTimeout(resolve, 300));
  process.kill(ready.pid, 'SIGTERM');
  expect((await command.ended).exitCode).toBe(143);
  expect(await queue.depth()).toMatchObject({ waiting: 1, inFlight: 0 });
  await expect.poll(() => containersOf(ready.pid)).toEqual([]);
});

test('health and metrics answer while Redis hangs, and say so; then they say that all is well', async () => {
  const { command, ready, metrics, signalGroup } = await start();
  redis.freeze();
  try {
    const health = async () => {
      const answer = await fetch(`${ready.http}/health`, { signal: AbortSignal.timeout(20_000) });
      return { code: answer.status, ...((await answer.json()) as { failing?: Record<string, string> }) };
    };
    const unwell = { code: 503, failing: { '@nanogrid/plugin-redis': expect.any(String) } };
    await expect.poll(health, { timeout: 100_000, interval: 250 }).toMatchObject(unwell);
    const page = async () => (await fetch(metrics, { signal: AbortSignal.timeout(20_000) })).text();
    await expect.poll(page, { interval: 250 }).toContain('nanogrid_part_failing{part="@nanogrid/plugin-redis"} 1\n');
    redis.thaw();
    await expect.poll(health, { timeout: 100_000, interval: 250 }).toMatchObject({ code: 200 });
  } finally {
    redis.thaw();
  }
  signalGroup('SIGTERM');
  expect((await command.ended).exitCode).toBe(0);
});

describe('the doctor', () => {
  test('finds every service well', async () => {
    const { exitCode, out } = await launch(['doctor', '--json']).ended;
    expect(JSON.parse(out).findings.filter(({ status }: { status: string }) => status === 'fail')).toEqual([]);
    for (const name of ['SQS queue', 'Redis', 'S3 code bucket', 'plugins'])
      expect(finding(out, name)?.status).toBe('ok');
    expect(exitCode).toBe(0);
  });

  test('says of each service what is wrong with it, which setting that is and where it came from', async () => {
    const { exitCode, out } = await launch(['doctor', '--json'], {
      SQS_QUEUE_URL: queue.url.replace(/jobs-\d+$/, 'jbos'),
      S3_CODE_BUCKET: 'no-such-bucket',
      REDIS_PASSWORD: 'wrong-password',
    }).ended;
    expect(exitCode).toBe(1);
    expect(finding(out, 'SQS queue')).toMatchObject({ status: 'fail', found: expect.stringContaining('jbos') });
    expect(finding(out, 'S3 code bucket')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('no-such-bucket'),
    });
    expect(finding(out, 'Redis')).toMatchObject({ status: 'fail' });
    for (const variable of ['SQS_QUEUE_URL', 'S3_CODE_BUCKET', 'REDIS_PASSWORD']) expect(out).toContain(variable);
    expect(out).not.toContain('wrong-password');
  });

  test('looks at the rest where a part of the configuration is missing or broken', async () => {
    const missing = await launch(['doctor', '--json'], { SQS_QUEUE_URL: undefined }).ended;
    expect(missing.exitCode).toBe(1);
    expect(finding(missing.out, 'plugin @nanogrid/plugin-sqs')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('queueUrl'),
    });
    expect(finding(missing.out, 'service source')?.status).toBe('fail');
    expect(finding(missing.out, 'Redis')?.status).toBe('ok');
    const broken = await launch(['doctor', '--json'], { WARM_POOL_PYTHON_SIZE: 'two' }).ended;
    expect(broken.exitCode).toBe(1);
    expect(finding(broken.out, 'configuration')?.found).toContain('WARM_POOL_PYTHON_SIZE');
    expect(finding(broken.out, 'container engine') ?? finding(broken.out, 'Docker')).toMatchObject({ status: 'ok' });
  });
});

describe('the configuration', () => {
  test('prints what it takes from the environment, with its sources, and no secrets', async () => {
    const printed = await launch(['config', 'print']).ended;
    expect(printed.out).toContain(queue.url);
    expect(printed.out).not.toContain(PASSWORD);
    const { plugins, pool } = JSON.parse(printed.out);
    expect(pool.sizes).toMatchObject({ python: 1, node: 0 });
    expect(plugins.find(({ name }: { name: string }) => name === '@nanogrid/plugin-redis').options).toMatchObject({
      host: redis.host,
      password: '***',
    });
    const { out } = await launch(['config', 'print', '--sources']).ended;
    expect(out).toContain('plugins[@nanogrid/plugin-sqs].queueUrl: environment variable SQS_QUEUE_URL\n');
    expect(out).toContain('plugins[@nanogrid/plugin-sqs].region: environment variable AWS_REGION\n');
    expect(out).toContain('plugins[@nanogrid/plugin-prometheus].port: the configuration file\n');
    expect(out).toContain('plugins[@nanogrid/plugin-prometheus].maxModels: built-in defaults\n');
    expect(out).toContain('pool.sizes.python: environment variable WARM_POOL_PYTHON_SIZE\n');
  });

  test('that cannot work stops the start with one sentence, what to do and the right exit code', async () => {
    const without = await launch(['start'], { SQS_QUEUE_URL: undefined }).ended;
    expect(without.err).toContain('queueUrl');
    expect(without.err).toContain('Code: NG_PLUGIN_INVALID\n');
    expect(without.exitCode).toBe(2);
    const region = { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: undefined, AWS_ENDPOINT_URL_S3: aws.endpoint };
    const foreign = 'https://sqs.us-east-1.amazonaws.com/123456789012/jobs';
    const elsewhere = await launch(['start'], { ...region, SQS_QUEUE_URL: foreign }).ended;
    expect(elsewhere.err).toContain('AWS_REGION');
    expect(elsewhere.err).toMatch(/^Hint: /m);
    expect(elsewhere.err).toContain('Code: NG_CONFIG_INVALID\n');
    expect(elsewhere.exitCode).toBe(2);
  });
});
