/** Turns the body of a message, in either dialect, into a job, or says what is wrong with it. Owns no state. */

import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import type { Dialect, Job } from '../job.js';
import type { Delivery } from '../stores.js';
import { invalidMessage, MessageFields, show, traceContext } from './message-fields.js';
import { rawMember } from './raw-member.js';

export type DecodedMessage =
  | {
      readonly ok: true;
      readonly job: Job;
      /** The input as JSON text, as it was sent; `null` where there was none. */
      readonly inputJson: string;
      /** Names of fields that mean nothing, shortened; at most 32. */
      readonly unknownFields: readonly string[];
    }
  | {
      readonly ok: false;
      /** Where it can be read: exactly one id field is there, and valid. */
      readonly id?: string;
      readonly dialect?: Dialect;
      readonly functionId?: string;
      readonly runtime?: string;
      /** `NG_MESSAGE_INVALID` or `NG_BUCKET_NOT_ALLOWED`. */
      readonly error: NanoGridError;
    };

/** Names of the fields, from the contract's table; `runtime`, `handler` and the extensions are the same in both dialects. */
const FIELDS = {
  camel: {
    id: 'requestId',
    functionId: 'functionId',
    key: 's3Key',
    bucket: 's3Bucket',
    memory: 'memoryMb',
    timeout: 'timeoutMs',
    input: 'input',
  },
  snake: {
    id: 'job_id',
    functionId: 'function_id',
    key: 's3_key',
    bucket: 's3_bucket',
    memory: 'memory_mb',
    timeout: 'timeout',
    input: 'payload',
  },
} as const;

/** What a controller of ours adds. */
const EXTENSIONS = ['env', 'tenant', 'traceparent', 'correlationId'];

const meantIn = (dialect: Dialect): ReadonlySet<string> =>
  new Set([...Object.values(FIELDS[dialect]), 'runtime', 'handler', ...EXTENSIONS]);
const MEANT = { camel: meantIn('camel'), snake: meantIn('snake') };

const MAX_UNKNOWN_FIELDS = 32;
const MAX_FIELD_NAME_LENGTH = 64;

/**
 * Decodes one message by the contract's section 2. Throws on no text whatsoever. A field that is `null` counts as
 * absent: many producers write their unset fields so.
 */
export function decodeMessage(
  body: string,
  delivery: Pick<Delivery, 'attempt' | 'lastAttempt' | 'sentAt' | 'traceparent'>,
  config: Pick<CoreConfig, 'job' | 'code'>,
): DecodedMessage {
  // What an answer to a faulty message can say, as far as it was read.
  let known = (): { id?: string; dialect?: Dialect; functionId?: string; runtime?: string } => ({});
  try {
    const fields = new MessageFields(parseObject(body));
    const dialect = dialectOf(fields);
    const names = FIELDS[dialect];
    const id = fields.required(names.id, fields.id(names.id));
    known = () => ({ id, dialect, ...whoAsked(fields, names.functionId) });

    const functionId = fields.id(names.functionId);
    const runtime = fields.required('runtime', fields.runtime('runtime'));
    const handler = fields.handler('handler');
    const key = fields.required(names.key, fields.key(names.key));
    const bucket = allowedBucket(fields, names.bucket, config);
    const memoryMb = fields.count(names.memory, 'MiB', config.job.maxMemoryMb);
    const timeoutMs =
      dialect === 'snake'
        ? fields.seconds(names.timeout, config.job.maxTimeoutMs)
        : fields.count(names.timeout, 'milliseconds', config.job.maxTimeoutMs);
    const env = fields.environment('env');
    const tenant = fields.tenant('tenant');
    const traceparent = fields.traceparent('traceparent') ?? traceContext(delivery.traceparent);
    const correlationId = fields.correlationId('correlationId');
    const input = fields.get(names.input) ?? null;
    const inputJson = inputText(body, names.input, config.job.maxInputBytes);
    const { attempt, lastAttempt, sentAt } = delivery;
    const code = { bucket, key };
    return {
      ok: true,
      job: {
        id,
        dialect,
        functionId,
        runtime,
        handler,
        code,
        memoryMb,
        timeoutMs,
        ...(env === undefined ? {} : { env }),
        ...(tenant === undefined ? {} : { tenant }),
        ...(traceparent === undefined ? {} : { traceparent }),
        ...(correlationId === undefined ? {} : { correlationId }),
        input,
        attempt,
        lastAttempt,
        sentAt,
      },
      inputJson,
      unknownFields: unknownFields(fields, dialect),
    };
  } catch (error) {
    // Nothing but the fields' own errors is expected; a fault of ours must not stop the loop either.
    return { ok: false, ...known(), error: NanoGridError.from(error, 'NG_MESSAGE_INVALID') };
  }
}

function parseObject(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw invalidMessage('its body is not JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidMessage(`its body is ${show(value)}, but must be a JSON object`);
  }
  return value as Record<string, unknown>;
}

function dialectOf(fields: MessageFields): Dialect {
  const camel = fields.get(FIELDS.camel.id) !== undefined;
  const snake = fields.get(FIELDS.snake.id) !== undefined;
  if (camel && snake) throw invalidMessage('it has both "requestId" and "job_id", but must have exactly one');
  if (!camel && !snake) throw invalidMessage('it has neither "requestId" nor "job_id", but must have exactly one');
  return camel ? 'camel' : 'snake';
}

/** What can be read of function and runtime, whether or not the other is faulty. */
function whoAsked(fields: MessageFields, functionIdField: string): { functionId?: string; runtime?: string } {
  const attempt = (read: () => string | undefined) => {
    try {
      return read();
    } catch {
      return undefined;
    }
  };
  const functionId = attempt(() => fields.id(functionIdField));
  const runtime = attempt(() => fields.runtime('runtime'));
  return { ...(functionId === undefined ? {} : { functionId }), ...(runtime === undefined ? {} : { runtime }) };
}

function allowedBucket(fields: MessageFields, name: string, config: Pick<CoreConfig, 'code'>): string | undefined {
  const bucket = fields.bucket(name);
  if (bucket === undefined || config.code.allowedBuckets.includes(bucket)) return bucket;
  throw new NanoGridError(
    'NG_BUCKET_NOT_ALLOWED',
    `Field ${JSON.stringify(name)} names the bucket ${show(bucket)}, which this worker may not read.`,
    { hint: 'Leave the bucket out, or add it to `code.allowedBuckets` of the configuration.' },
  );
}

/** The input's own text: parsing it and writing it again would cut the digits of large numbers. */
function inputText(body: string, name: string, maxBytes: number): string {
  const text = rawMember(body, name) ?? 'null';
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  throw invalidMessage(`field ${JSON.stringify(name)} is ${bytes} bytes long, but may have at most ${maxBytes}`);
}

function unknownFields(fields: MessageFields, dialect: Dialect): string[] {
  const meant = MEANT[dialect];
  return fields
    .names()
    .filter((name) => !meant.has(name))
    .slice(0, MAX_UNKNOWN_FIELDS)
    .map((name) => (name.length > MAX_FIELD_NAME_LENGTH ? `${name.slice(0, MAX_FIELD_NAME_LENGTH)}…` : name));
}
