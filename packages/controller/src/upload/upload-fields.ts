/** Checks the fields of an upload against the contract, and against what is known of runtimes. Owns no state. */

import { type CoreConfig, decodeMessage, environmentFault, type Runtime, type RuntimeRegistry } from '@nanogrid/core';
import { ApiError } from '../api-error.js';

export interface UploadFields {
  /** Names a function that gets a new version; undefined makes a new function. */
  readonly functionId: string | undefined;
  readonly functionName: string;
  /** As it was asked for. */
  readonly runtimeName: string;
  readonly runtime: Runtime;
  readonly handler: string | undefined;
  /** Seconds. */
  readonly timeout: number;
  /** MiB. */
  readonly memoryMb: number | undefined;
  readonly env: Readonly<Record<string, string>>;
}

const NAMES = ['function_id', 'function_name', 'runtime', 'handler', 'timeout', 'memory_mb', 'env'];
const FUNCTION_NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,127}$/u;
const DEFAULT_TIMEOUT_S = 300;

/** Throws `BAD_REQUEST`, naming the field; `NG_RUNTIME_UNKNOWN` becomes one too, with the known names. */
export function readUploadFields(
  fields: ReadonlyMap<string, string>,
  runtimes: RuntimeRegistry,
  config: CoreConfig,
): UploadFields {
  const unknown = [...fields.keys()].find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw bad(`There is no field ${JSON.stringify(unknown.slice(0, 64))}; the fields are file, ${NAMES.join(', ')}.`);
  }
  const text = (name: string) => fields.get(name)?.trim() || undefined;
  const functionName = checkName(text('function_name') ?? missing('function_name'));
  const runtimeName = text('runtime') ?? missing('runtime');
  const runtime = resolve(runtimeName, runtimes);
  const handler = text('handler');
  const timeout = number(text('timeout'), 'timeout') ?? Math.min(DEFAULT_TIMEOUT_S, config.job.maxTimeoutMs / 1_000);
  const memoryMb = number(text('memory_mb'), 'memory_mb');
  const functionId = text('function_id');
  const env = readEnv(text('env'));
  checkAsMessage(
    { function_id: functionId ?? 'new', runtime: runtimeName, handler, timeout, memory_mb: memoryMb },
    config,
  );
  if (handler !== undefined && !runtime.supports?.handlers) {
    throw bad(`The runtime ${runtime.name} has no handlers: leave the field "handler" out.`);
  }
  return { functionId, functionName, runtimeName, runtime, handler, timeout, memoryMb, env };
}

/** Throws `BAD_REQUEST`. */
export function checkName(functionName: string): string {
  if (FUNCTION_NAME.test(functionName)) return functionName;
  throw bad('The field "function_name" must be 1 to 128 letters, digits, blanks, ".", "_" or "-".');
}

/** The worker's own rules: what it would refuse in a message is refused here, as `BAD_REQUEST`. */
export function checkAsMessage(fields: Record<string, unknown>, config: CoreConfig): void {
  const body = JSON.stringify({ ...fields, job_id: 'check', s3_key: 'check' });
  const decoded = decodeMessage(body, { attempt: 1, lastAttempt: false, sentAt: undefined }, config);
  if (!decoded.ok) throw bad(decoded.error.message.replace('The message is no valid job: field', 'The field'));
}

function resolve(name: string, runtimes: RuntimeRegistry): Runtime {
  try {
    return runtimes.resolve(name).runtime;
  } catch (error) {
    throw bad((error as Error).message.replace(' to this worker', ' here'), error);
  }
}

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw bad(`The field "${name}" must be a number, not ${JSON.stringify(text.slice(0, 64))}.`);
}

function readEnv(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad('The field "env" is not JSON.', error);
  }
  const fault = environmentFault(value);
  if (fault !== undefined) throw bad(`The field "env" ${fault}.`);
  return value as Record<string, string>;
}

function missing(name: string): never {
  throw bad(`The field "${name}" is missing.`);
}

function bad(message: string, cause?: unknown): ApiError {
  return new ApiError('BAD_REQUEST', message, { cause });
}
