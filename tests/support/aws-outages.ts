/** Takes a dependency away for a while and gives it back, while jobs keep coming. Owns no state; the caller's services and worker do. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DataPlane } from './aws-data-plane.js';
import type { AwsWorker } from './services/aws-worker.js';
import type { Fault } from './services/fault.js';
import { camelMessage } from './services/job-messages.js';
import type { TestQueue } from './services/queues.js';

export interface Outage {
  readonly what: string;
  readonly begin: (plane: DataPlane) => Promise<unknown>;
  readonly end: (plane: DataPlane) => Promise<unknown>;
  /** What `/health` has to name meanwhile; undefined where the service as a whole is well, or jobs do not depend on it. */
  readonly unhealthy?: RegExp | undefined;
}

const error = (status: number, code: string): Fault => ({ kind: 'error', status, code });

function proxied(
  service: 'sqs' | 's3' | 'redis' | 'cloudWatch',
  what: string,
  fault: Fault,
  unhealthy?: RegExp,
): Outage {
  return {
    what: `${service} ${what}`,
    begin: (plane) => plane.faults[service].fail(fault),
    end: (plane) => plane.faults[service].clear(),
    unhealthy,
  };
}

/** Each dependency in each way. */
export const OUTAGES: readonly Outage[] = [
  proxied('sqs', 'refuses', { kind: 'refuse' }, /sqs|source/),
  proxied('sqs', 'hangs', { kind: 'hang' }, /sqs|source/),
  proxied('sqs', 'is throttled', error(400, 'ThrottlingException'), /sqs|source/),
  proxied('sqs', 'answers 503', error(503, 'ServiceUnavailable'), /sqs|source/),
  proxied('sqs', 'is gone', error(400, 'QueueDoesNotExist'), /sqs|source/),
  proxied('s3', 'denies', error(403, 'AccessDenied'), /s3/),
  proxied('s3', 'does not find', error(404, 'NoSuchKey')),
  proxied('s3', 'answers 500', error(500, 'InternalError'), /s3/),
  proxied('s3', 'stalls', { kind: 'slow', bytesPerSecond: 1 }),
  proxied('s3', 'cuts bodies', { kind: 'cut', afterBytes: 20 }),
  proxied('redis', 'refuses', { kind: 'refuse' }, /redis/),
  proxied('redis', 'hangs', { kind: 'hang' }, /redis/),
  {
    what: 'redis is stopped and started again',
    begin: (plane) => plane.server.stop(),
    end: (plane) => plane.server.start(),
    unhealthy: /redis/,
  },
  proxied('cloudWatch', 'refuses', { kind: 'refuse' }),
  proxied('cloudWatch', 'hangs', { kind: 'hang' }),
];

export interface OutageReport {
  readonly ids: readonly string[];
  /** The parts that `/health` named meanwhile, and what they said. */
  readonly failing: Readonly<Record<string, string>>;
  /** The outages that it named nothing for. */
  readonly untold: readonly string[];
  /** Milliseconds from the end of the outage until all jobs were done and the worker was healthy. */
  readonly recoveryMs: number;
  /** Slots that were not free then. */
  readonly notFree: number;
  readonly stillFailing: Readonly<Record<string, string>>;
}

const JOBS = 6;
/** How much longer an outage lasts where `/health` has not named it yet. */
const TELL_MS = 60_000;

/** Jobs are sent before, during and after; `downMs` is how long the outages last. */
export async function suffer(
  outages: readonly Outage[],
  { plane, queue, worker, downMs }: { plane: DataPlane; queue: TestQueue; worker: AwsWorker; downMs: number },
): Promise<OutageReport> {
  const ids: string[] = [];
  const send = async (): Promise<void> => {
    for (let i = 0; i < JOBS; i++) {
      const id = plane.name('outage');
      const key = `${id}.zip`;
      await plane.code.put(key, { 'main.sh': `tee /output/in.json; sleep 0.2` });
      ids.push(id);
      await queue.send(camelMessage({ id, functionId: id, key, input: id }));
    }
  };
  // What was well before is known to be: a refusal alone may be all that these credentials get for what does not exist.
  await health(worker);
  await send();
  for (const outage of outages) await outage.begin(plane);
  let failing: Record<string, string> = {};
  const isTold = ({ unhealthy }: Outage) =>
    unhealthy === undefined || Object.keys(failing).some((part) => unhealthy.test(part));
  const begunAt = performance.now();
  const lasted = () => performance.now() - begunAt;
  while (lasted() < downMs || (!outages.every(isTold) && lasted() < downMs + TELL_MS)) {
    if (ids.length < 2 * JOBS) await send();
    failing = { ...failing, ...(await health(worker)) };
    await sleep(100);
  }
  const untold = outages.filter((outage) => !isTold(outage)).map(({ what }) => what);
  for (const outage of outages) await outage.end(plane);
  const begun = performance.now();
  await send();
  await plane.results.all(ids, 120_000 + downMs);
  let stillFailing = await health(worker);
  let notFree = await taken(worker);
  // A failure that nothing disproves is told for a minute.
  for (const end = performance.now() + 90_000; performance.now() < end; ) {
    if (Object.keys(stillFailing).length === 0 && notFree === 0) break;
    await sleep(100);
    [stillFailing, notFree] = [await health(worker), await taken(worker)];
  }
  return { ids, failing, untold, recoveryMs: performance.now() - begun, notFree, stillFailing };
}

async function health({ http }: AwsWorker): Promise<Record<string, string>> {
  const answer = await fetch(`${http}/health`, { signal: AbortSignal.timeout(30_000) });
  const { failing = {} } = (await answer.json()) as { failing?: Record<string, string> };
  if (answer.ok !== (Object.keys(failing).length === 0))
    throw new Error(`${answer.status}: ${JSON.stringify(failing)}`);
  return failing;
}

async function taken({ http }: AwsWorker): Promise<number> {
  const { slots } = (await (await fetch(`${http}/status`)).json()) as { slots: { total: number; free: number } };
  return slots.total - slots.free;
}
