/** `/status/{job_id}` and `/jobs/{job_id}/cancel`: asks after a job, and takes one back. Owns no state. */

import { type JobState, requestCancellation } from '@nanogrid/core';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.js';
import type { Caller } from '../auth/key-ring.js';
import { callbackAnswer } from '../callbacks/callback-record.js';
import type { ControllerContext } from '../context.js';
import { statusAnswer } from '../jobs/answers.js';
import { isOwnJob } from '../jobs/job-id.js';
import { cancelSchema, statusSchema } from '../schemas.js';

export function addJobs(app: FastifyInstance, context: ControllerContext): void {
  app.get('/status/:job_id', { schema: statusSchema, config: { scope: 'read' } }, async (request) => {
    const { job_id: jobId } = request.params as { job_id: string };
    const known = await find(context, request.caller, jobId);
    const callback = context.callbacks.enabled ? await context.callbacks.find(jobId) : undefined;
    const told = statusAnswer(jobId, known);
    return callback === undefined ? told : { ...told, callback: callbackAnswer(callback) };
  });
  app.post('/jobs/:job_id/cancel', { schema: cancelSchema, config: { scope: 'submit' } }, async (request, reply) => {
    const { job_id: jobId } = request.params as { job_id: string };
    const known = await find(context, request.caller, jobId);
    if ('result' in known) {
      throw new ApiError('CONFLICT', `The job ${jobId} has already ended.`, {
        details: { job_id: jobId, status: known.state },
      });
    }
    await requestCancellation(context.sharedState, jobId);
    context.log.info({ jobId, key: request.caller.keyId }, 'job taken back');
    return reply
      .code(202)
      .send({ job_id: jobId, status: known.state, message: 'The job will be ended; its result says so.' });
  });
}

async function find({ resultStore }: ControllerContext, caller: Caller, jobId: string): Promise<JobState> {
  const known = isOwnJob(caller, jobId) ? await resultStore.get(jobId) : undefined;
  if (known !== undefined) return known;
  throw new ApiError('NOT_FOUND', `There is no job ${jobId}, or its result has expired.`);
}
