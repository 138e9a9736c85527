/** `POST /upload`: registers a function, or a new version of one. Owns no state. */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FunctionRecord } from '@nanogrid/core';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.js';
import type { Caller } from '../auth/key-ring.js';
import type { ControllerContext } from '../context.js';
import { functionAnswer } from '../function-answer.js';
import { uploadSchema } from '../schemas.js';
import { type PreparedArchive, prepareArchive } from '../upload/prepare-archive.js';
import { receiveUpload, type Upload } from '../upload/receive-upload.js';
import { readUploadFields, type UploadFields } from '../upload/upload-fields.js';

/** How often a version is counted anew where another upload came first. */
const TRIES = 5;

export function addUpload(app: FastifyInstance, context: ControllerContext): void {
  const validatorCompiler = () => () => true;
  app.post(
    '/upload',
    { schema: uploadSchema, validatorCompiler, config: { scope: 'manage' } },
    async (request, reply) => {
      const upload = await receiveUpload(request, context.config.code.limits.maxArchiveBytes);
      // Before the answer: whoever has it may count on nothing being left here.
      const record = await accept(context, request.caller, upload).finally(upload.dispose);
      const { functionId, version, codeBytes } = record;
      context.log.info({ functionId, version, codeBytes, key: request.caller.keyId }, 'function registered');
      return reply.code(201).send(functionAnswer(record));
    },
  );
}

async function accept(context: ControllerContext, caller: Caller, upload: Upload): Promise<FunctionRecord> {
  const { config, runtimes, codeUploads, stopping } = context;
  const fields = readUploadFields(upload.fields, runtimes, config);
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(config.controller.requestTimeoutMs)]);
  const archive = await prepareArchive(upload, fields, config.code.limits, signal);
  const known = await findOwn(context, caller, fields.functionId);
  const functionId = known?.functionId ?? `fn-${randomUUID()}`;
  const s3Key = `functions/${functionId}/code.zip`;
  await codeUploads.put(s3Key, createReadStream(archive.path), archive.sizeBytes, signal);
  return register(context, caller, functionId, s3Key, fields, archive);
}

async function findOwn(
  { registry }: ControllerContext,
  caller: Caller,
  functionId: string | undefined,
): Promise<FunctionRecord | undefined> {
  if (functionId === undefined) return undefined;
  const record = await registry.get(functionId);
  if (record?.owner === caller.owner) return record;
  throw new ApiError('NOT_FOUND', `There is no function ${functionId}; leave function_id out to make one.`);
}

async function register(
  { registry, functions, codeUploads, wallMs }: ControllerContext,
  caller: Caller,
  functionId: string,
  s3Key: string,
  fields: UploadFields,
  archive: PreparedArchive,
): Promise<FunctionRecord> {
  const { functionName, runtimeName, handler, timeout, memoryMb, env } = fields;
  for (let tries = 0; tries < TRIES; tries++) {
    const before = fields.functionId === undefined ? undefined : await registry.get(functionId);
    const now = new Date(wallMs()).toISOString();
    const record: FunctionRecord = {
      functionId,
      functionName,
      owner: caller.owner,
      version: (before?.version ?? 0) + 1,
      s3Key,
      runtime: runtimeName,
      handler,
      timeout,
      memoryMb,
      env,
      codeDigest: archive.digest,
      codeBytes: archive.sizeBytes,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
    };
    if (await registry.put(record)) {
      functions.forget(functionId);
      return record;
    }
  }
  if (fields.functionId === undefined) await codeUploads.delete(s3Key);
  throw new ApiError('CONFLICT', `The function ${functionId} was changed by others at the same time; upload it again.`);
}
