/** `/functions`: lists, tells and deletes functions. Owns no state. */

import type { FunctionRecord } from '@nanogrid/core';
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.js';
import type { Caller } from '../auth/key-ring.js';
import type { ControllerContext } from '../context.js';
import { functionAnswer } from '../function-answer.js';
import { deleteFunctionSchema, functionSchema, functionsSchema } from '../schemas.js';

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

async function find({ registry }: ControllerContext, caller: Caller, params: unknown): Promise<FunctionRecord> {
  const { function_id: functionId } = params as { function_id: string };
  const record = await registry.get(functionId);
  if (record?.owner === caller.owner) return record;
  throw new ApiError('NOT_FOUND', `There is no function ${functionId}.`);
}
