/** `/functions`: lists, tells, copies and deletes functions. Owns no state. */

import { randomUUID } from 'node:crypto';
import type { FunctionRecord } from '@nanogrid/core';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.js';
import type { Caller } from '../auth/key-ring.js';
import type { ControllerContext } from '../context.js';
import { functionAnswer } from '../function-answer.js';
import { copyFunctionSchema, deleteFunctionSchema, functionSchema, functionsSchema } from '../schemas.js';
import { checkAsMessage, checkName } from '../upload/upload-fields.js';

export function addFunctions(app: FastifyInstance, context: ControllerContext): void {
  const { registry, functions, codeUploads, log } = context;
  app.get('/functions', { schema: functionsSchema, config: { scope: 'read' } }, async (request) => {
    const { limit, cursor } = request.query as { limit: string; cursor?: string };
    const page = await registry.list({
      owner: request.caller.owner,
      limit: Number(limit),
      ...(cursor === undefined ? {} : { cursor }),
    });
    return { functions: page.functions.map(functionAnswer), cursor: page.cursor ?? null };
  });
  app.get('/functions/:function_id', { schema: functionSchema, config: { scope: 'read' } }, async (request) =>
    functionAnswer(await find(context, request.caller, request.params)),
  );
  app.post(
    '/functions/:function_id/copies',
    { schema: copyFunctionSchema, config: { scope: 'manage' } },
    async (request, reply) => {
      const original = await find(context, request.caller, request.params);
      const record = await copy(context, original, request.body as CopyFields);
      log.info(
        { functionId: record.functionId, copyOf: original.functionId, key: request.caller.keyId },
        'function copied',
      );
      return reply.code(201).send(functionAnswer(record));
    },
  );
  app.delete(
    '/functions/:function_id',
    { schema: deleteFunctionSchema, config: { scope: 'manage' } },
    async (request, reply) => {
      const { functionId, s3Key } = await find(context, request.caller, request.params);
      await registry.delete(functionId);
      functions.forget(functionId);
      // After the entry: a function that is listed always has its code.
      await codeUploads.delete(s3Key);
      log.info({ functionId, key: request.caller.keyId }, 'function deleted');
      return reply.code(204).send();
    },
  );
}

interface CopyFields {
  readonly function_name: string;
  readonly memory_mb?: number;
  readonly timeout?: number;
}

async function copy(
  { config, registry, codeUploads, stopping, wallMs }: ControllerContext,
  original: FunctionRecord,
  fields: CopyFields,
): Promise<FunctionRecord> {
  const functionName = checkName(fields.function_name.trim());
  const { memory_mb: memoryMb = original.memoryMb, timeout = original.timeout } = fields;
  const { runtime, handler } = original;
  checkAsMessage({ function_id: 'new', runtime, handler, timeout, memory_mb: memoryMb }, config);
  const functionId = `fn-${randomUUID()}`;
  const s3Key = `functions/${functionId}/code.zip`;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(config.controller.requestTimeoutMs)]);
  // Before the entry: a function that is listed always has its code.
  await codeUploads.copy(original.s3Key, s3Key, signal);
  const now = new Date(wallMs()).toISOString();
  const own = { functionId, functionName, s3Key, memoryMb, timeout, version: 1, createdAt: now, updatedAt: now };
  const record: FunctionRecord = { ...original, ...own };
  try {
    if (await registry.put(record)) return record;
    throw new ApiError('CONFLICT', 'The copy was not registered; try again.');
  } catch (error) {
    await codeUploads.delete(s3Key).catch(() => {});
    throw error;
  }
}

async function find({ registry }: ControllerContext, caller: Caller, params: unknown): Promise<FunctionRecord> {
  const { function_id: functionId } = params as { function_id: string };
  const record = await registry.get(functionId);
  if (record?.owner === caller.owner) return record;
  throw new ApiError('NOT_FOUND', `There is no function ${functionId}.`);
}
