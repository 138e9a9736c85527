/**
 * Kills workers at exact stages of their jobs, each job in a chain of workers that take over from each other, and looks
 * at what becomes of the jobs and of what the dead leave. Owns the services, the workers and their folders.
 */

import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDockerClient } from '@nanogrid/core';
import { s3Client, sqsClient } from './services/aws-clients.js';
import { AwsWorker, containersOf, foldersOf, makeWorkerDirectory } from './services/aws-worker.js';
import { makeBucket, type TestBucket } from './services/buckets.js';
import { startFauxqs } from './services/fauxqs.js';
import { type HttpFaultProxy, startHttpFaultProxy } from './services/http-fault-proxy.js';
import { camelMessage, snakeMessage } from './services/job-messages.js';
import { makeQueue, type TestQueue } from './services/queues.js';
import { type RedisServer, startRedis } from './services/redis-server.js';
import { listenForResults, type ResultListener } from './services/result-listener.js';
import type { HookStage } from './services/stage-stops.js';
import { startTcpFaultProxy, type TcpFaultProxy } from './services/tcp-fault-proxy.js';

/** In the order of a job's life. */
export const STAGES = [
  /** SQS has delivered the message, the worker does not have it yet. */
  'received',
  /** The worker has it. */
  'taken',
  /** S3 is asked for the code's version. */
  'looking up',
  /** The code is on its way from S3. */
  'fetching',
  'extracted',
  'prepared',
  /** A container is being made. */
  'acquiring',
  /** The user's code runs. */
  'executing',
  /** It ended, and an output file is on its way to S3. */
  'collecting',
  'executed',
  /** The result is on its way to Redis. */
  'publishing',
  /** Redis has published it, the worker does not know yet. */
  'published',
  /** The message's deletion is on its way to SQS. */
  'deleting',
  /** SQS has deleted it, the worker does not know yet. */
  'deleted',
] as const;

export type Stage = (typeof STAGES)[number];

export interface CrashReport {
  /** Kills at each stage. */
  readonly kills: Readonly<Record<Stage, number>>;
  /** Jobs whose result was published so often: all of them once, if all is well. */
  readonly published: ReadonlyMap<number, number>;
  /** Ids of jobs whose result was not the one expected. */
  readonly wrong: readonly string[];
  /** What was found of dead workers more than 10 s after the next was ready. */
  readonly orphans: readonly string[];
  /** Longest time until nothing of a dead worker was left, in milliseconds after the next was ready. */
  readonly slowestSweepMs: number;
  /** Messages that are left in the queues at the end. */
  readonly messagesLeft: number;
  readonly neighbourUntouched: boolean;
}

interface Chain {
  readonly name: string;
  readonly queue: TestQueue;
  readonly bucket: TestBucket;
  readonly sqs: HttpFaultProxy;
  readonly s3: HttpFaultProxy;
  readonly redis: TcpFaultProxy;
  readonly directory: string;
  readonly results: ResultListener;
  readonly ids: string[];
}

const SWEEP_MS = 10_000;
const LAST_JOBS_MS = 120_000;

/** `chains` run at once; each kills one worker at each stage, `rounds` times. */
export async function crashCampaign({
  chains,
  rounds,
  say = () => {},
}: {
  chains: number;
  rounds: number;
  say?: (text: string) => void;
}): Promise<CrashReport> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const emulator = await startFauxqs();
    stops.push(emulator.close);
    const redis = await startRedis();
    stops.push(redis.close);
    const results = await listenForResults(redis);
    stops.push(results.close);
    const sqs = sqsClient(emulator.endpoint);
    const s3 = s3Client(emulator.endpoint);
    stops.push(async () => {
      sqs.destroy();
      s3.destroy();
    });
    const bucket = await makeBucket(s3, 'code');
    await makeBucket(s3, 'out');

    async function makeChain(name: string): Promise<Chain> {
      const proxies = {
        sqs: await startHttpFaultProxy(emulator.endpoint),
        s3: await startHttpFaultProxy(emulator.endpoint),
        redis: await startTcpFaultProxy(redis),
      };
      const directory = await makeWorkerDirectory();
      stops.push(() => rm(directory, { recursive: true, force: true }));
      for (const proxy of Object.values(proxies)) stops.push(proxy.close);
      const queue = await makeQueue(sqs, name, { visibilitySeconds: 3, maxReceiveCount: 1_000 });
      return { name, queue, bucket, ...proxies, directory, results, ids: [] };
    }

    const neighbour = await startNeighbour(await makeChain('neighbour'), redis);
    stops.push(() => neighbour.worker.close());
    const tally = {
      kills: Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<Stage, number>,
      orphans: [] as string[],
      slowestSweepMs: 0,
    };
    const all = await Promise.all(Array.from({ length: chains }, (_, i) => makeChain(`chain-${i}`)));
    const ended = await Promise.allSettled(
      // Each begins elsewhere in the list, so that they do not all do the same at once.
      all.map((chain, i) => runChain(chain, { rounds, offset: Math.floor((i * STAGES.length) / chains), tally, say })),
    );
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    const ids = all.flatMap((chain) => chain.ids);
    // Whatever might still publish a second time has had the time for it.
    await sleep(1_000);
    const published = new Map<number, number>();
    for (const id of ids) {
      const count = results.texts(id).length;
      published.set(count, (published.get(count) ?? 0) + 1);
    }
    const depths = await Promise.all(all.map((chain) => chain.queue.depth()));
    return {
      ...tally,
      published,
      wrong: ids.filter((id) => !isRight(results.texts(id)[0], id)),
      messagesLeft: depths.reduce(
        (sum, { waiting, inFlight, deadLetters }) => sum + waiting + inFlight + deadLetters,
        0,
      ),
      neighbourUntouched: (await containersOf(neighbour.worker.pid)).join() === neighbour.containers,
    };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** A worker that has nothing to do, and whose containers nobody else may touch. */
async function startNeighbour(chain: Chain, _redis: RedisServer) {
  const worker = await startWorker(chain, 1);
  return { worker, containers: (await containersOf(worker.pid)).join() };
}

function startWorker(chain: Chain, warm: number): Promise<AwsWorker> {
  const { queue, sqs, s3, redis, directory } = chain;
  return AwsWorker.start({
    queueUrl: queue.url,
    endpoints: { sqs: sqs.endpoint, s3: s3.endpoint },
    redis,
    codeBucket: 'code',
    outputBucket: 'out',
    directory,
    options: { sqs: { visibilityMs: 3_000, waitMs: 5_000 } },
    // Jobs of the dead wait here until their claims end; the one that matters must not wait for them.
    settings: { worker: { slots: 32 }, pool: { sizes: { shell: warm } } },
  });
}

interface Tally {
  readonly kills: Record<Stage, number>;
  readonly orphans: string[];
  slowestSweepMs: number;
}

async function runChain(
  chain: Chain,
  { rounds, offset, tally, say }: { rounds: number; offset: number; tally: Tally; say: (text: string) => void },
): Promise<void> {
  let dead: number | undefined;
  const sweeps: Promise<void>[] = [];
  for (let step = 0; step < rounds * STAGES.length; step++) {
    const stage = STAGES[(step + offset) % STAGES.length] as Stage;
    const id = `${chain.name}-${step}`;
    const worker = await startWorker(chain, 0);
    try {
      if (dead !== undefined) sweeps.push(watchSweep(chain, dead, tally));
      await reach(stage, id, step, chain, worker);
      await worker.kill();
    } catch (error) {
      await worker.close();
      throw new Error(`${id} did not come to "${stage}"`, { cause: error });
    }
    dead = worker.pid;
    for (const proxy of [chain.sqs, chain.s3, chain.redis]) await proxy.clear();
    tally.kills[stage]++;
    say(`${chain.name}: killed while ${stage} (${step + 1} of ${rounds * STAGES.length})`);
  }
  const last = await startWorker(chain, 0);
  try {
    if (dead !== undefined) sweeps.push(watchSweep(chain, dead, tally));
    await chain.results.all(chain.ids, LAST_JOBS_MS);
    await Promise.all(sweeps);
    const exitCode = await last.stop();
    if (exitCode !== 0) throw new Error(`the last worker ended with ${exitCode}`);
  } finally {
    await last.close();
  }
}

/** Waits until nothing is left of the worker that had this process id. */
async function watchSweep(chain: Chain, pid: number, tally: Tally): Promise<void> {
  const begun = performance.now();
  for (;;) {
    // When the look begins: on a busy machine it takes its time.
    const ms = performance.now() - begun;
    const left = [...(await containersOf(pid)), ...(await foldersOf(chain.directory, pid))];
    if (left.length === 0) {
      tally.slowestSweepMs = Math.max(tally.slowestSweepMs, ms);
      return;
    }
    if (ms > SWEEP_MS) return void tally.orphans.push(...left);
    await sleep(100);
  }
}

const HOOKS: Partial<Record<Stage, HookStage>> = {
  taken: 'beforeFetch',
  extracted: 'afterExtract',
  prepared: 'beforeExec',
  executed: 'afterExec',
};

/** Sends the job, and resolves when it is exactly there. */
async function reach(stage: Stage, id: string, serial: number, chain: Chain, worker: AwsWorker): Promise<void> {
  const { sqs, s3, redis, results, queue } = chain;
  const nap = `0.5${String(serial).padStart(4, '0')}`;
  const key = `${id}.zip`;
  await chain.bucket.put(key, { 'main.sh': `mkdir -p /output/a; cat > /output/a/in.json; sleep ${nap}; echo ${id}` });
  const send = () => {
    chain.ids.push(id);
    const job = { id, functionId: id, key, input: { id } };
    return queue.send(serial % 2 === 0 ? camelMessage(job) : snakeMessage(job));
  };
  /** Lets the job come to the end of its execution, and go on once the fault is there. */
  const afterExecution = async (fault: () => Promise<{ hit: Promise<unknown> }>) => {
    await worker.hold('afterExec', id);
    await send();
    await worker.at('afterExec', id);
    const { hit } = await fault();
    await worker.letGo();
    await met(hit, stage);
  };
  const hang = { kind: 'hang' } as const;
  const hangDone = { kind: 'hang', done: true } as const;

  const hook = HOOKS[stage];
  if (hook !== undefined) {
    await worker.hold(hook, id);
    await send();
    return worker.at(hook, id);
  }
  switch (stage) {
    case 'received': {
      // An answer with no message in it is shorter.
      const { hit } = await sqs.fail(({ operation, answerBytes = 0 }) =>
        operation === 'ReceiveMessage' && answerBytes > 100 ? hangDone : undefined,
      );
      await send();
      return met(hit, stage);
    }
    case 'looking up':
    case 'fetching': {
      const method = stage === 'fetching' ? 'GET' : 'HEAD';
      const fault = stage === 'fetching' ? ({ kind: 'slow', bytesPerSecond: 50 } as const) : hang;
      const { hit } = await s3.fail((asked) =>
        asked.method === method && asked.path.includes(key) ? fault : undefined,
      );
      await send();
      return met(hit, stage);
    }
    case 'collecting': {
      const { hit } = await s3.fail(({ path }) => (path.includes(`outputs/${id}/`) ? hang : undefined));
      await send();
      return met(hit, stage);
    }
    case 'acquiring': {
      await worker.hold('beforeExec', id);
      await send();
      await worker.at('beforeExec', id);
      const created = await nextContainer(worker.pid);
      await worker.letGo();
      return created();
    }
    case 'executing':
      await send();
      await worker.at('beforeExec', id);
      return runs(`sleep ${nap}`, worker.pid);
    case 'publishing':
      return afterExecution(() =>
        redis.fail(({ from, data }) => (from === 'client' && data.includes(`result:${id}`) ? hang : undefined)),
      );
    case 'published': {
      const asked = new Set<number>();
      return afterExecution(() =>
        redis.fail(({ from, connection, data }) => {
          if (from === 'client' && data.includes(`result:${id}`)) asked.add(connection);
          return from === 'server' && asked.has(connection) ? hangDone : undefined;
        }),
      );
    }
    case 'deleting':
    case 'deleted': {
      const fault = stage === 'deleting' ? hang : hangDone;
      const isDeletion = (operation = '') => operation.startsWith('DeleteMessage') && results.texts(id).length > 0;
      return afterExecution(() => sqs.fail(({ operation }) => (isDeletion(operation) ? fault : undefined)));
    }
    default:
      throw new Error(`nobody knows how to come to "${stage}"`);
  }
}

async function met(hit: Promise<unknown>, stage: Stage): Promise<void> {
  const timer = new AbortController();
  const late = sleep(60_000, 'late', { signal: timer.signal }).catch(() => {});
  if ((await Promise.race([hit, late])) === 'late') throw new Error(`nothing came to the fault of "${stage}" in 60 s`);
  timer.abort();
}

/** Listens; the function that it gives resolves when the engine has made the next container of the worker. */
async function nextContainer(pid: number): Promise<() => Promise<void>> {
  const events = await createDockerClient(undefined).getEvents({
    filters: { type: ['container'], event: ['create'], label: ['nanogrid.role=job'] },
  });
  const made = new Promise<void>((resolve) => {
    events.on('data', (line: Buffer) => {
      if (line.includes(`"nanogrid.process":"${pid}.`)) resolve();
    });
    events.on('error', () => {});
  });
  return () => met(made, 'acquiring').finally(() => (events as unknown as { destroy(): void }).destroy());
}

/** Resolves when this command runs in a container of the worker. */
async function runs(command: string, pid: number): Promise<void> {
  const docker = createDockerClient(undefined);
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    const tops = (await containersOf(pid)).map((id) =>
      docker
        .getContainer(id)
        .top()
        .catch(() => undefined),
    );
    const processes = (await Promise.all(tops)).flatMap((top) => top?.Processes ?? []);
    if (processes.some((columns: string[]) => columns.at(-1) === command)) return;
    await sleep(10);
  }
  throw new Error(`"${command}" did not run within 60 s`);
}

/** Whether the text is the success of this job, in either dialect. */
function isRight(text: string | undefined, id: string): boolean {
  const result = JSON.parse(text ?? '{}') as Record<string, unknown>;
  return 'requestId' in result
    ? result.requestId === id && result.status === 'SUCCESS' && result.stdout === `${id}\n`
    : result.job_id === id && result.status === 'completed' && result.logs === `${id}\n`;
}
