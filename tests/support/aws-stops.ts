/** Stops workers in order, again and again, with jobs in every state, and looks at how they end and what becomes of the jobs. Owns the services and the workers. */

import { setTimeout as sleep } from 'node:timers/promises';
import { DataPlane } from './aws-data-plane.js';
import { startFauxqs } from './services/fauxqs.js';
import { camelMessage } from './services/job-messages.js';

export interface StopReport {
  /** How often a worker ended with each code. */
  readonly exitCodes: ReadonlyMap<number | null, number>;
  /** From the signal to the end of the process, the longest, in milliseconds. */
  readonly slowestMs: number;
  /** Stops after which the job that could not end was not to be had at once. */
  readonly notHandedBack: number;
  readonly published: ReadonlyMap<number, number>;
}

/** How long running jobs are waited for, in milliseconds. */
export const DRAIN_MS = 3_000;
/** How long what was published may take to be heard here; less than messages that were not handed back stay invisible. */
const HEARD_MS = 10_000;
const VISIBILITY_MS = 60_000;

export async function stopCampaign({
  times,
  say = () => {},
}: {
  times: number;
  say?: (text: string) => void;
}): Promise<StopReport> {
  const plane = await DataPlane.start(startFauxqs);
  const exitCodes = new Map<number | null, number>();
  const ids: string[] = [];
  let slowestMs = 0;
  let notHandedBack = 0;
  try {
    // A first run that is too long to end, a second one that is not: as if the machine had been slow.
    const script = 'read -r input; mkdir -p /output; sleep "$input"';
    await plane.code.put('f.zip', { 'main.sh': script });
    for (let n = 0; n < times; n++) {
      const queue = await plane.queue({ visibilitySeconds: VISIBILITY_MS / 1_000, maxReceiveCount: 20 });
      const settings = { worker: { slots: 2, drainTimeoutMs: DRAIN_MS } };
      const options = { sqs: { visibilityMs: VISIBILITY_MS } };
      const worker = await plane.worker(queue, { settings, options, env: { LOG_LEVEL: 'info' } });
      const send = async (input: number) => {
        const id = plane.name('stop');
        await queue.send(camelMessage({ id, functionId: 'f', key: 'f.zip', input }));
        return id;
      };
      // By turns: with nothing to do, with jobs that end in time, with one that does not, with more than it has slots for.
      const naps = [[], [0.2, 0.2], [600], [1, 1, 1, 1]][n % 4] ?? [];
      const sent: string[] = [];
      for (const nap of naps) sent.push(await send(nap));
      const [first] = sent;
      if (first !== undefined) await worker.at('beforeExec', first);
      const begun = performance.now();
      const code = await worker.stop();
      const ms = performance.now() - begun;
      slowestMs = Math.max(slowestMs, ms);
      exitCodes.set(code, (exitCodes.get(code) ?? 0) + 1);
      say(`${n + 1} of ${times}: exit code ${code} after ${ms.toFixed(0)} ms`);
      const missing = () => sent.filter((id) => plane.results.texts(id).length === 0);
      // Nobody is left who could change the queue; a result that was published last may still be on its way here.
      for (const end = performance.now() + HEARD_MS; ; await sleep(50)) {
        const { waiting, inFlight } = await queue.depth();
        if (inFlight === 0 && waiting === missing().length) break;
        if (performance.now() > end) {
          notHandedBack++;
          break;
        }
      }
      if (naps[0] === 600) {
        // It would never end; that it can be had at once is all there is to see.
        await worker.close();
        continue;
      }
      ids.push(...sent);
      if (missing().length > 0) {
        const next = await plane.worker(queue, { settings, options, env: { LOG_LEVEL: 'info' } });
        await plane.results.all(missing());
        await next.stop();
        await next.close();
      }
      await worker.close();
    }
    const published = new Map<number, number>();
    for (const id of ids) {
      const count = plane.results.texts(id).length;
      published.set(count, (published.get(count) ?? 0) + 1);
    }
    return { exitCodes, slowestMs, notHandedBack, published };
  } finally {
    await plane.close();
  }
}
