/** `POST /run`: runs a function and answers with its result, or at once where `X-Async` asks for it. Owns no state. */

import { randomUUID } from 'node:crypto';
import { type Dialect, type FunctionRecord, rawMember } from '@nanogrid/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../api-error.js';
import type { Caller } from '../auth/key-ring.js';
import { readCallbackUrl } from '../callbacks/callback-url.js';
import type { ControllerContext } from '../context.js';
import { runAnswer } from '../jobs/answers.js';
import { type Claim, claimKey } from '../jobs/idempotency.js';
import { newJobId } from '../jobs/job-id.js';
import { submitJob } from '../jobs/submit-job.js';
import { waitForResult } from '../jobs/wait-for-result.js';
import { bodyText } from '../json-body.js';
import { runSchema } from '../schemas.js';

interface Run {
  readonly dialect: Dialect;
  readonly functionId: string;
  readonly inputJson: string;
  readonly callbackUrl: string | undefined;
}

/** The job of a request. */
interface Handed extends Omit<Claim, 'sent'> {
  /** Nobody else can have handed it in, or know of it. */
  readonly isNew: boolean;
  /** Where others may ask for the same: notes that it was handed in. */
  readonly sent: (() => Promise<void>) | undefined;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** When a queue that is full may be tried again, in seconds. */
const RETRY_AFTER_S = 10;
/** A job of which nothing is known may have been handed in this moment, while its state could not be noted. In milliseconds. */
const UNKNOWN_MS = 60_000;

export function addRun(app: FastifyInstance, context: ControllerContext): void {
  app.post('/run', { schema: runSchema, config: { scope: 'submit' } }, async (request, reply) => {
    const { caller } = request;
    const run = readRun(request, context);
    const record = await ownFunction(context, caller, run.functionId);
    refuseWhileFull(context);
    const isAsync = readAsync(request);
    const key = header(request, 'idempotency-key');
    const job = key === undefined ? newJob(caller) : await claim(context, caller, key, run);
    if (!job.send) await refuseExpired(context, job);
    const { callbackUrl: url } = run;
    const send = async () => {
      if (!job.send) return;
      const { jobId } = job;
      if (url !== undefined) await context.callbacks.accept(jobId, { url, dialect: run.dialect, keyId: caller.keyId });
      await submitJob(context, {
        jobId,
        record,
        ...run,
        // Who waits is told the id with the result, or when the wait is over.
        isUnknown: job.isNew && !isAsync && url === undefined,
        traceparent: traceparentOf(request),
        correlationId: request.id,
      });
      context.log.info(
        { jobId, functionId: run.functionId, requestId: request.id, key: caller.keyId },
        'job handed in',
      );
      if (url !== undefined) context.callbacks.watch(jobId);
      await job.sent?.();
    };
    if (isAsync) {
      await send();
      return reply.code(202).send(pending(job.jobId, run.dialect));
    }
    const { jobId, isNew } = job;
    const { dialect } = run;
    return context.concurrency.hold(caller, () => answer(context, request, reply, { jobId, isNew, dialect, send }));
  });
}

async function answer(
  context: ControllerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { jobId, isNew, dialect, send }: { jobId: string; isNew: boolean; dialect: Dialect; send: () => Promise<void> },
): Promise<FastifyReply> {
  const waited = await waitForResult(context.resultStore, jobId, send, {
    isNew,
    timeoutMs: context.config.controller.waitTimeoutMs,
    answer: reply.raw,
    stopping: context.stopping,
  });
  // As text: the serializer that is made of the schema would walk through it once more, and let everything pass.
  if (waited.kind === 'result') return reply.type(JSON_TYPE).send(JSON.stringify(runAnswer(waited.result, dialect)));
  if (waited.kind === 'client-gone') request.log.info({ jobId }, 'the client left before the result came');
  const seconds = context.config.controller.waitTimeoutMs / 1_000;
  const why = context.stopping.aborted ? 'The controller stops' : `The job took longer than ${seconds} s`;
  const message = `${why}; ask GET /status/${jobId} for its result.`;
  const status = await stateOf(context, jobId);
  return reply
    .code(504)
    .send({ ...idsOf(jobId, dialect), status, error: { code: 'WAIT_ENDED', message, job_id: jobId } });
}

function idsOf(jobId: string, dialect: Dialect): Record<string, string> {
  return dialect === 'snake' ? { job_id: jobId } : { job_id: jobId, requestId: jobId };
}

/** What is known of a job that has no result yet, as far as it can be asked. */
async function stateOf({ resultStore }: ControllerContext, jobId: string): Promise<string> {
  const known = await resultStore.get(jobId).catch(() => undefined);
  return known?.state ?? 'pending';
}

/** Exactly one of the two forms; anything else names the field. */
function readRun(request: FastifyRequest, context: ControllerContext): Run {
  const body = request.body as Record<string, unknown>;
  const snake = body.function_id !== undefined;
  if (snake === (body.functionId !== undefined)) {
    throw new ApiError('BAD_REQUEST', 'Send {"function_id", "payload"} or {"functionId", "inputData"}.');
  }
  const fields = snake ? ['function_id', 'payload', 'callback_url'] : ['functionId', 'inputData', 'callbackUrl'];
  const [idField, inputField, callbackField] = fields as [string, string, string];
  const unknown = Object.keys(body).find((name) => !fields.includes(name));
  if (unknown !== undefined) {
    throw new ApiError(
      'BAD_REQUEST',
      `There is no field ${JSON.stringify(unknown.slice(0, 64))} beside "${idField}", "${inputField}" and "${callbackField}".`,
    );
  }
  const inputJson = rawMember(bodyText(request), inputField) ?? 'null';
  const bytes = Buffer.byteLength(inputJson);
  const { maxInputBytes } = context.config.job;
  if (bytes > maxInputBytes) {
    throw new ApiError(
      'TOO_LARGE',
      `The field "${inputField}" has ${bytes} bytes, but may have at most ${maxInputBytes}.`,
    );
  }
  const callbackUrl = readCallback(body[callbackField], callbackField, request.caller, context);
  return { dialect: snake ? 'snake' : 'camel', functionId: body[idField] as string, inputJson, callbackUrl };
}

function readCallback(value: unknown, field: string, caller: Caller, context: ControllerContext): string | undefined {
  if (value === undefined) return undefined;
  const { callbacks, callbackGuard, config } = context;
  if (!callbacks.isOn(caller.keyId)) {
    throw new ApiError(
      'BAD_REQUEST',
      `The field "${field}" cannot be used: this controller has no secret to sign callbacks with.`,
    );
  }
  return readCallbackUrl(value, field, callbackGuard, config.controller.callbacks.allow.length > 0);
}

async function ownFunction(context: ControllerContext, caller: Caller, functionId: string): Promise<FunctionRecord> {
  const record = await context.functions.get(functionId);
  // Somebody else's function is as unknown as one that does not exist.
  if (record?.owner === caller.owner) return record;
  throw new ApiError('NOT_FOUND', `There is no function ${functionId}.`);
}

function refuseWhileFull({ queue, config }: ControllerContext): void {
  const waiting = queue.peek()?.waiting ?? 0;
  if (waiting < config.controller.maxQueued) return;
  throw new ApiError('UNAVAILABLE', `${waiting} jobs wait already; come again later.`, { retryAfterS: RETRY_AFTER_S });
}

/** A job that no other request asks for. */
function newJob(caller: Caller): Handed {
  return { jobId: newJobId(caller), isNew: true, send: true, at: 0, sent: undefined };
}

async function claim(context: ControllerContext, caller: Caller, key: string, run: Run): Promise<Handed> {
  const claimed = await claimKey(context.sharedState, {
    owner: caller.owner,
    key,
    asked: [run.dialect, run.functionId, run.inputJson, ...(run.callbackUrl === undefined ? [] : [run.callbackUrl])],
    jobId: newJobId(caller),
    ttlMs: context.config.controller.idempotencyMs,
    now: context.wallMs(),
  });
  return { ...claimed, isNew: false };
}

/** A key is remembered for longer than results are: to wait for one that is gone would be to wait for nothing. */
async function refuseExpired(
  { resultStore, wallMs }: ControllerContext,
  { jobId, at }: { readonly jobId: string; readonly at: number },
): Promise<void> {
  if (wallMs() - at < UNKNOWN_MS || (await resultStore.get(jobId)) !== undefined) return;
  throw new ApiError(
    'RESULT_EXPIRED',
    'The job of this Idempotency-Key was handed in before, and nothing is known of it any more: it is not run again. Another key runs it anew.',
    { details: { job_id: jobId } },
  );
}

function readAsync(request: FastifyRequest): boolean {
  const value = header(request, 'x-async')?.toLowerCase();
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw new ApiError('BAD_REQUEST', 'X-Async must be "true" or "false".');
}

function pending(jobId: string, dialect: Dialect): Record<string, unknown> {
  return { ...idsOf(jobId, dialect), status: 'pending', message: `Accepted; ask GET /status/${jobId} for the result.` };
}

/** The client's trace, or a new one: the job's lines in every log carry its id. */
function traceparentOf(request: FastifyRequest): string {
  const given = header(request, 'traceparent');
  if (given !== undefined && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(given)) return given;
  // Node keeps random bytes for these ahead. The few bits that are not random lie in front of an id's last seven bytes.
  const [trace, span] = [hexId(), hexId().slice(16)];
  return `00-${trace}-${span}-00`;
}

function hexId(): string {
  return randomUUID().replaceAll('-', '');
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
