/** Hands a job in. Owns no state. */

import type { ControllerContext } from '../context.js';
import { type JobRequest, jobMessage } from './job-message.js';

/** Resolves when the job is safe in the queue. From then on its state can be asked for; a moment later where `isUnknown` says that nobody can. */
export async function submitJob(
  { resultStore, jobSink }: Pick<ControllerContext, 'resultStore' | 'jobSink'>,
  request: JobRequest & { readonly isUnknown: boolean },
): Promise<void> {
  const { jobId, record, isUnknown } = request;
  // First: a job that is known before it is sent can never be told to be unknown afterwards.
  if (jobSink.announcesTo !== resultStore) await resultStore.progress(jobId, 'pending');
  await jobSink.send({ body: jobMessage(request), jobId, functionId: record.functionId, isUnknown });
}
