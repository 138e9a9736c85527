/** The stages of a job at which a worker can be killed, and how a test comes to be exactly there. Owns no state. */

import { setTimeout as sleep } from 'node:timers/promises';
import { createDockerClient } from '@nanogrid/core';
import { type AwsWorker, containersOf } from './services/aws-worker.js';
import type { TestBucket } from './services/buckets.js';
import type { HttpFaultProxy } from './services/http-fault-proxy.js';
import { camelMessage, snakeMessage } from './services/job-messages.js';
import type { TestQueue } from './services/queues.js';
import type { ResultListener } from './services/result-listener.js';
import type { HookStage } from './services/stage-stops.js';
import type { TcpFaultProxy } from './services/tcp-fault-proxy.js';

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

/** What a chain of workers works with, one worker after the other. */
export interface Chain {
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

const HOOKS: Partial<Record<Stage, HookStage>> = {
  taken: 'beforeFetch',
  extracted: 'afterExtract',
  prepared: 'beforeExec',
  executed: 'afterExec',
};

/** Sends the job, and resolves when it is exactly there. */
export async function reach(stage: Stage, id: string, serial: number, chain: Chain, worker: AwsWorker): Promise<void> {
  const { sqs, s3, redis, results, queue } = chain;
  // One that is looked for among the processes lasts as long as a few looks take on a busy machine.
  const nap = `${stage === 'executing' ? 10 : 0}.5${String(serial).padStart(4, '0')}`;
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
  const late = sleep(200_000, 'late', { signal: timer.signal }).catch(() => {});
  if ((await Promise.race([hit, late])) === 'late') throw new Error(`nothing came to the fault of "${stage}" in 200 s`);
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
  const deadline = performance.now() + 200_000;
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
  throw new Error(`"${command}" did not run within 200 s`);
}
