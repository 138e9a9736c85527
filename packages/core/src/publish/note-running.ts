/** Notes that a job runs. Owns no state. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from '../job.js';
import type { PipelineParts } from '../pipeline-parts.js';

/**
 * Resolves once the store knows; to be waited for before anything is published, so that the final state is the last one.
 * A turn of the event loop later: a job that needs nothing from outside is on its way into its container by then, and the
 * note costs it no time. Only for who asks meanwhile, so a store that cannot take it does not hinder the job.
 */
export async function noteRunning(
  { resultStore, log }: Pick<PipelineParts, 'resultStore' | 'log'>,
  job: Job,
): Promise<void> {
  await nextTurn();
  try {
    await resultStore.progress(job.id, 'running');
  } catch (error) {
    log.warn({ err: error, jobId: job.id }, 'cannot note that a job runs');
  }
}
