/** Checks what a tap made of an execution spec before anything is run with it. Owns no state. */

import { type Check, compileSchema } from '../config/check-schema.js';
import { formatProblem } from '../config/problem.js';
import { REUSE_MODES } from '../exec/exec-spec.js';
import { NETWORK_GRANTS } from '../network/network-grant.js';

const MAX_MS = 2 ** 31 - 1;
const words = { type: 'array', minItems: 1, items: { type: 'string', pattern: '^[^\\u0000]*$' } } as const;
const bytes = { type: 'integer', minimum: 0 } as const;
const mebibytes = { type: 'integer', minimum: 1 } as const;

const execSpecSchema = {
  type: 'object',
  additionalProperties: false,
  // `command`, `handler` and `retryMemoryMb` may be undefined, which a schema cannot tell from missing.
  required: [
    'entrypoint',
    'env',
    'timeoutMs',
    'graceMs',
    'memoryMb',
    'cpus',
    'input',
    'maxStdoutBytes',
    'maxStderrBytes',
    'network',
    'reuse',
    'workFiles',
  ],
  properties: {
    command: words,
    entrypoint: { type: 'string', minLength: 1 },
    handler: { type: 'string', minLength: 1 },
    env: {
      type: 'object',
      propertyNames: { pattern: '^[^=\\u0000]+$', mustBe: 'the name of an environment variable' },
      additionalProperties: { type: 'string', pattern: '^[^\\u0000]*$', mustBe: 'text without NUL', secret: true },
    },
    timeoutMs: { type: 'number', exclusiveMinimum: 0, maximum: MAX_MS },
    graceMs: { type: 'number', minimum: 0, maximum: MAX_MS },
    memoryMb: mebibytes,
    // The least that the engine takes.
    cpus: { type: 'number', minimum: 0.01 },
    retryMemoryMb: mebibytes,
    input: { type: 'string' },
    maxStdoutBytes: bytes,
    maxStderrBytes: bytes,
    network: { enum: NETWORK_GRANTS },
    reuse: { enum: REUSE_MODES },
    workFiles: {
      type: 'array',
      maxItems: 16,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['path', 'maxBytes'],
        properties: {
          path: {
            type: 'string',
            pattern: '^(?!/)(?!(.*/)?\\.{1,2}(/|$))[^\\u0000]+$',
            mustBe: 'a path inside the working directory',
          },
          maxBytes: { type: 'integer', minimum: 0, maximum: 16 * 1024 * 1024 },
        },
      },
    },
  },
} as const;

/** Tells what is wrong with a spec; undefined where nothing is. */
export type ExecSpecCheck = (spec: unknown) => string | undefined;

/** Compiles the check, once for a worker. */
export function createExecSpecCheck(): ExecSpecCheck {
  const check: Check = compileSchema(execSpecSchema);
  return (spec) => {
    const problems = check(spec);
    return problems.length === 0 ? undefined : problems.map(formatProblem).join('; ');
  };
}
