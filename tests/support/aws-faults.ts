/**
 * Many jobs through two workers, while each of their dependencies fails now and then in every way that it can; then a
 * count of what became of the jobs. Which requests fail is drawn from a seed. Owns the services and the workers.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { DataPlane } from './aws-data-plane.js';
import { messagesIn, publishedTimes, untilEmpty } from './campaign-counts.js';
import { seeded } from './seeded.js';
import type { AwsWorker } from './services/aws-worker.js';
import type { Fault, FaultCounts } from './services/fault.js';
import { startFauxqs } from './services/fauxqs.js';
import { camelMessage, snakeMessage } from './services/job-messages.js';

export interface FaultReport {
  /** How many jobs had their result published so often: all of them once, if all is well. */
  readonly published: ReadonlyMap<number, number>;
  /** Jobs without the result that is expected, and those that succeeded without their output file. */
  readonly wrong: readonly string[];
  readonly faults: Readonly<Record<'sqs' | 's3' | 'redis' | 'cloudWatch', FaultCounts>>;
  readonly injected: number;
  readonly messagesLeft: number;
  /** Slots that are not free, and parts that are not healthy, once all is done. */
  readonly notFree: number;
  readonly unhealthy: readonly string[];
  readonly exitCodes: readonly (number | null)[];
}

const error = (status: number, code: string): Fault => ({ kind: 'error', status, code });
const HANG: Fault = { kind: 'hang', forMs: 2_000 };
const HANG_DONE: Fault = { kind: 'hang', done: true, forMs: 2_000 };
const FAULTS: Record<'sqs' | 's3' | 'redis' | 'cloudWatch', readonly Fault[]> = {
  sqs: [
    ...[HANG, HANG_DONE, { kind: 'refuse' } as const, { kind: 'cut' } as const],
    { kind: 'slow', bytesPerSecond: 2_000 },
    ...[error(503, 'ServiceUnavailable'), error(400, 'ThrottlingException'), error(500, 'InternalFailure')],
    ...[error(400, 'QueueDoesNotExist'), error(403, 'ExpiredToken')],
  ],
  s3: [
    ...[HANG, HANG_DONE, { kind: 'refuse' } as const, { kind: 'cut' } as const],
    ...[{ kind: 'cut', afterBytes: 60 } as const, { kind: 'slow', bytesPerSecond: 400 } as const],
    ...[error(403, 'AccessDenied'), error(404, 'NoSuchKey'), error(500, 'InternalError'), error(503, 'SlowDown')],
  ],
  redis: [HANG, HANG_DONE, { kind: 'refuse' }, { kind: 'cut' }, { kind: 'slow', bytesPerSecond: 500 }],
  cloudWatch: [HANG, { kind: 'refuse' }, { kind: 'cut' }, error(503, 'ServiceUnavailable'), error(400, 'Throttling')],
};
/** Of all requests; Redis is asked more often. */
const SHARES = { sqs: 0.15, s3: 0.12, redis: 0.04, cloudWatch: 0.3 } as const;
const DEADLINE_MS = 240_000;

/** `jobs` are sent at once. Faults end when so many are published that those left are the ones that faults delayed. */
export async function faultCampaign({
  jobs,
  seed = 1,
  say = () => {},
}: {
  jobs: number;
  seed?: number;
  say?: (text: string) => void;
}): Promise<FaultReport> {
  const plane = await DataPlane.start(startFauxqs);
  try {
    const queue = await plane.queue({ visibilitySeconds: 5, maxReceiveCount: 1_000 });
    await plane.code.put('f.zip', { 'main.sh': 'tee /output/in.json' });
    const options = {
      sqs: { visibilityMs: 5_000, requestTimeoutMs: 1_500 },
      s3: { requestTimeoutMs: 1_500 },
      redis: { commandTimeoutMs: 1_000 },
      cloudWatch: { flushIntervalMs: 1_000, requestTimeoutMs: 1_000 },
    };
    const settings = { worker: { slots: 8 } };
    const env = { LOG_LEVEL: 'info' };
    const workers = await Promise.all([0, 1].map(() => plane.worker(queue, { options, settings, env })));
    const ids = Array.from({ length: jobs }, (_, i) => `job-${i}`);

    const random = seeded(seed);
    for (const service of Object.keys(SHARES) as (keyof typeof SHARES)[]) {
      const draw = () => (random() < SHARES[service] ? pick(FAULTS[service], random) : undefined);
      await plane.faults[service].fail(draw);
    }
    const clearAll = () => Promise.all(Object.values(plane.faults).map((proxy) => proxy.clear()));
    for (const [i, id] of ids.entries()) {
      const job = { id, functionId: `f-${i % 5}`, key: 'f.zip', input: { id } };
      await queue.send(i % 2 === 0 ? camelMessage(job) : snakeMessage(job));
    }
    const deadline = performance.now() + DEADLINE_MS * Math.max(1, jobs / 250);
    for (let told = 0; plane.results.counts().size < ids.length * 0.9; await sleep(200)) {
      const { size } = plane.results.counts();
      if (performance.now() > deadline) throw new Error(`${size} of ${jobs} results; ${tails(workers)}`);
      if (size >= told + 50) say(`${size} results, ${injected(plane)} faults`);
      if (size >= told + 50) told = size;
    }
    await clearAll();
    say('the faults are over');
    await plane.results.all(ids, 180_000);
    await untilEmpty(queue);
    const states = await Promise.all(workers.map(look));
    const exitCodes = await Promise.all(workers.map((worker) => worker.stop()));
    const wrong = [];
    for (const id of ids) if (!(await isRight(plane, id))) wrong.push(id);
    const { sqs, s3, redis, cloudWatch } = plane.faults;
    return {
      published: publishedTimes(plane.results, ids),
      wrong,
      faults: { sqs: sqs.counts(), s3: s3.counts(), redis: redis.counts(), cloudWatch: cloudWatch.counts() },
      injected: injected(plane),
      messagesLeft: await messagesIn(queue),
      notFree: states.reduce((sum, { taken }) => sum + taken, 0),
      unhealthy: states.flatMap(({ failing }) => failing),
      exitCodes,
    };
  } finally {
    await plane.close();
  }
}

function injected({ faults }: DataPlane): number {
  const sums = Object.values(faults).map((proxy) => {
    const { passed: _passed, ...kinds } = proxy.counts();
    return Object.values(kinds).reduce((sum, count) => sum + count, 0);
  });
  return sums.reduce((sum, count) => sum + count, 0);
}

/** A failure that nothing disproves is told for a minute; and some more for a busy machine. */
const FORGOTTEN_MS = 90_000;

/** Waits for the last fault to be forgotten. */
async function look(worker: AwsWorker): Promise<{ taken: number; failing: string[] }> {
  for (const end = performance.now() + FORGOTTEN_MS; ; ) {
    const health = (await (await fetch(`${worker.http}/health`)).json()) as { failing?: Record<string, string> };
    const { slots } = (await (await fetch(`${worker.http}/status`)).json()) as {
      slots: { total: number; free: number };
    };
    const failing = Object.entries(health.failing ?? {}).map(([part, reason]) => `${part}: ${reason}`);
    if ((failing.length === 0 && slots.total === slots.free) || performance.now() > end) {
      return { taken: slots.total - slots.free, failing };
    }
    await sleep(200);
  }
}

async function isRight(plane: DataPlane, id: string): Promise<boolean> {
  const result = JSON.parse(plane.results.texts(id)[0] ?? '{}') as Record<string, unknown>;
  const isSuccess =
    'requestId' in result
      ? result.requestId === id && result.status === 'SUCCESS'
      : result.job_id === id && result.status === 'completed';
  if (!isSuccess || JSON.stringify(result.result) !== JSON.stringify({ id })) return false;
  const stored = await plane.outputs.get(`outputs/${id}/in.json`).catch(() => undefined);
  return stored?.equals(Buffer.from(JSON.stringify({ id }))) ?? false;
}

function tails(workers: readonly AwsWorker[]): string {
  return workers.map(({ log }) => log.slice(-2_000)).join('\n---\n');
}

function pick<T>(list: readonly T[], random: () => number): T | undefined {
  return list[Math.floor(random() * list.length)];
}
