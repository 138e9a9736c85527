/** Messages as the field sends them, in both dialects. Owns no state. */

export interface TestJob {
  readonly id: string;
  readonly functionId: string;
  readonly key: string;
  /** Default: none is named. */
  readonly bucket?: string;
  /** Default `shell`. */
  readonly runtime?: string;
  readonly handler?: string;
  readonly input?: unknown;
  readonly memoryMb?: number;
  /** Whole seconds for the snake dialect. */
  readonly timeoutMs?: number;
}

export function camelMessage(job: TestJob): Record<string, unknown> {
  const { id, functionId, key, bucket, runtime = 'shell', ...rest } = job;
  return defined({ requestId: id, functionId, runtime, s3Key: key, s3Bucket: bucket, ...rest });
}

export function snakeMessage(job: TestJob): Record<string, unknown> {
  const { id, functionId, key, bucket, runtime = 'shell', handler, input, memoryMb, timeoutMs } = job;
  return defined({
    job_id: id,
    function_id: functionId,
    runtime,
    handler,
    s3_key: key,
    s3_bucket: bucket,
    memory_mb: memoryMb,
    timeout: timeoutMs === undefined ? undefined : timeoutMs / 1000,
    payload: input,
  });
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
