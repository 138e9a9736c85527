/** Makes the execution spec of a job: entry point, command, environment, limits. */

import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import type { ExtractedCode } from '../hooks.js';
import type { Job } from '../job.js';
import { cpuLimit, timeoutLimit } from '../job-limits.js';
import type { JobRun } from '../job-run.js';
import { relayAddress, withoutCredentials } from '../network/ai-relay.js';
import { type NetworkGrant, networkGrant } from '../network/network-grant.js';
import { INPUT_FILE } from '../pool/container-spec.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ExecSpec, ReuseMode } from './exec-spec.js';
import { findEntrypoint } from './find-entrypoint.js';

/** Inputs up to this many bytes are also given as `PAYLOAD`; one string of an environment may have 128 KiB in Linux. */
const MAX_PAYLOAD_VARIABLE_BYTES = 32 << 10;

/** Throws `NG_ENTRYPOINT_MISSING` or `NG_HANDLER_INVALID`, both of the user's side. */
export function buildSpec(
  { job, inputJson, runtime, memoryMb }: Pick<JobRun, 'job' | 'inputJson' | 'runtime' | 'memoryMb'>,
  code: ExtractedCode,
  config: Pick<CoreConfig, 'job' | 'sandbox' | 'functions' | 'aiEndpoint' | 'network' | 'reuse'>,
): ExecSpec {
  const handler = handlerOf(job, runtime);
  const entrypoint = handler === undefined ? findEntrypoint(runtime, code) : (runtime.entrypoints[0] ?? '');
  const network = networkGrant(job.functionId, config);
  return {
    command: runtime.warm ? undefined : commandOf(runtime, entrypoint),
    entrypoint,
    handler,
    env: environmentOf(job, inputJson, runtime, aiAddress(config.aiEndpoint, network)),
    timeoutMs: timeoutLimit(job, config),
    graceMs: config.job.graceMs,
    memoryMb,
    cpus: cpuLimit(job, memoryMb, config),
    input: inputJson,
    maxStdoutBytes: config.job.maxLogBytes,
    maxStderrBytes: config.job.maxLogBytes,
    network,
    reuse: reuseMode(job, handler, runtime, config.reuse),
    workFiles: [],
  };
}

/**
 * Whether a job is a script although its message names a handler: messages of the snake dialect carry one for every
 * runtime, also where there is nothing that it could name.
 */
export function ignoresHandler({ handler, dialect }: Pick<Job, 'handler' | 'dialect'>, runtime: Runtime): boolean {
  return handler !== undefined && dialect === 'snake' && !runtime.supports?.handlers;
}

/** Undefined for a script. */
function handlerOf(job: Job, runtime: Runtime): string | undefined {
  if (job.handler === undefined || ignoresHandler(job, runtime)) return undefined;
  if (runtime.supports?.handlers) return job.handler;
  throw new NanoGridError(
    'NG_HANDLER_INVALID',
    `handler ${JSON.stringify(job.handler)}: the runtime ${runtime.name} runs scripts only`,
    { hint: `Leave the handler out and name the entry point ${runtime.entrypoints[0]}.` },
  );
}

/** A script's process ends with the script: there is nothing to keep but its container. */
function reuseMode(job: Job, handler: string | undefined, runtime: Runtime, reuse: CoreConfig['reuse']): ReuseMode {
  const own = job.functionId !== undefined && Object.hasOwn(reuse.functions, job.functionId);
  const ofRuntime = Object.hasOwn(reuse.runtimes, runtime.name) ? reuse.runtimes[runtime.name] : undefined;
  const mode = (own ? reuse.functions[job.functionId as string] : undefined) ?? ofRuntime ?? reuse.default;
  return mode === 'process' && handler === undefined ? 'container' : mode;
}

function commandOf(runtime: Runtime, entrypoint: string): readonly string[] {
  return (runtime.run ?? []).map((argument) => argument.replaceAll('{entrypoint}', entrypoint));
}

/** Where the job finds the LLM service: the relay, where it was granted; else the name alone, which leads nowhere. */
function aiAddress(endpoint: string | undefined, network: NetworkGrant): string | undefined {
  if (endpoint === undefined) return undefined;
  return network === 'none' ? withoutCredentials(endpoint) : relayAddress(endpoint);
}

function environmentOf(job: Job, inputJson: string, runtime: Runtime, aiEndpoint: string | undefined) {
  const env: Record<string, string> = {
    HOME: '/tmp',
    ...runtime.env,
    ...job.env,
    PAYLOAD_FILE: INPUT_FILE,
    JOB_ID: job.id,
    REQUEST_ID: job.id,
    OUTPUT_DIR: '/output',
  };
  // NUL cannot stand in an environment; JSON escapes it, so it cannot be in the text either.
  if (Buffer.byteLength(inputJson) <= MAX_PAYLOAD_VARIABLE_BYTES) env.PAYLOAD = inputJson;
  if (job.handler !== undefined) env.HANDLER = job.handler;
  if (job.functionId !== undefined) env.FUNCTION_ID = job.functionId;
  if (aiEndpoint !== undefined) env.AI_ENDPOINT = aiEndpoint;
  return env;
}
