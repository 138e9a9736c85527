/** What clients are told of a function. Owns no state. */

import type { FunctionRecord } from '@nanogrid/core';

/** Variables are told by name only: their values are often secrets. */
export function functionAnswer(record: FunctionRecord): Record<string, unknown> {
  return {
    function_id: record.functionId,
    function_name: record.functionName,
    s3_key: record.s3Key,
    runtime: record.runtime,
    handler: record.handler ?? null,
    timeout: record.timeout,
    memory_mb: record.memoryMb ?? null,
    env: Object.keys(record.env),
    version: record.version,
    code_sha256: record.codeDigest,
    code_bytes: record.codeBytes,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
  };
}
