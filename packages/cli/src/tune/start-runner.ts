/** What `nanogrid tune` runs, and where: code at a path on this machine or a controller's workers, or a registered function. Owns no state. */

import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createDockerClient, DockerEngine, type LoadedConfig, NanoGridError } from '@nanogrid/core';
import type { ConnectionOptions } from '../client/connection.js';
import { FUNCTION_FILE, type FunctionFile, readFunctionFile } from '../client/function-file.js';
import { findFunction, type ServerFunction } from '../client/resolve-function.js';
import { uploadFunction } from '../client/upload-function.js';
import { openApi } from '../client/with-api.js';
import { guessRuntime } from '../code/guess-runtime.js';
import { type Code, readCode } from '../code/read-code.js';
import type { Invocation } from '../invocation.js';
import { newJobId } from '../job-message.js';
import { LocalRunner } from './local-runner.js';
import type { SizeRunner } from './measure.js';
import { ServerRunner } from './server-runner.js';
import type { Size } from './size.js';

export interface RunnerOptions extends ConnectionOptions {
  readonly cpus?: readonly number[];
  readonly runtime?: string;
  readonly handler?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

export interface RunnerRequest {
  /** A path; on a controller also the name or id of a registered function, where nothing lies at that path. */
  readonly named: string;
  readonly inputJson: string;
  readonly options: RunnerOptions;
  readonly sizes: readonly Size[];
  /** Folder for what the runs need. */
  readonly scratch: string;
}

export interface StartedRunner {
  /** Of the function, as it is shown. */
  readonly name: string;
  readonly runner: SizeRunner;
}

/** Throws `NG_USAGE` for what cannot be run at these sizes, `NG_NOT_FOUND` for a name that the controller does not know. */
export async function startRunner(
  invocation: Invocation,
  loaded: LoadedConfig,
  request: RunnerRequest,
  isRemote: boolean,
): Promise<StartedRunner> {
  const { named, options } = request;
  const { cwd } = invocation.io;
  const path = resolve(cwd, named);
  if (isRemote && !(await exists(path))) return ofRegistered(invocation, request);
  const file = await readFunctionFile(path);
  const handler = options.handler ?? file.handler;
  const code = await readCode(named, cwd, loaded.config.code.limits, handler, [`/${FUNCTION_FILE}`]);
  const start = isRemote ? ofUploaded : onThisMachine;
  return { name: code.functionId, runner: await start(invocation, loaded, { ...request, code, file, handler }) };
}

interface CodeRequest extends RunnerRequest {
  readonly code: Code;
  readonly file: FunctionFile;
  readonly handler: string | undefined;
}

async function onThisMachine(invocation: Invocation, loaded: LoadedConfig, request: CodeRequest): Promise<SizeRunner> {
  const { code, file, handler, inputJson, options, sizes, scratch } = request;
  const asked = options.runtime ?? file.runtime;
  const runtime =
    asked === undefined
      ? guessRuntime({ ...code, handler }, loaded.runtimes)
      : loaded.runtimeRegistry.resolve(asked).runtime;
  const timeoutMs = options.timeout ?? (file.timeout === undefined ? undefined : file.timeout * 1_000);
  const input = JSON.parse(inputJson);
  const job = { code, runtime, input, handler, env: file.env, timeoutMs, scratch, sizes: sizes.length };
  for (const size of sizes) LocalRunner.message(loaded, job, size, newJobId());
  if (options.cpus !== undefined) await checkProcessors(options.cpus, loaded);
  return LocalRunner.start(loaded, job, invocation.io);
}

async function ofUploaded(invocation: Invocation, loaded: LoadedConfig, request: CodeRequest): Promise<SizeRunner> {
  const { code, file, handler, inputJson, options } = request;
  const api = await openApi(invocation, options);
  const settings: FunctionFile = {
    ...file,
    runtime: options.runtime ?? file.runtime ?? guessRuntime({ ...code, handler }, loaded.runtimes).name,
    ...(handler === undefined ? {} : { handler }),
    ...timeoutOf(options),
  };
  // Without an id always a new function: the one that the file names is left alone.
  // Without an id it makes a new function: the one that the file names is left alone.
  const register = (name: string, memoryMb: number) =>
    uploadFunction(invocation, api, code, { ...settings, name, memory_mb: memoryMb });
  return new ServerRunner(invocation, { api, name: code.functionId, register, inputJson });
}

async function ofRegistered(invocation: Invocation, request: RunnerRequest): Promise<StartedRunner> {
  const { named, inputJson, options } = request;
  if (options.runtime !== undefined || options.handler !== undefined) {
    throw new NanoGridError(
      'NG_USAGE',
      `There is nothing at ${named}, and a registered function has its own runtime.`,
      {
        hint: 'Leave --runtime and --handler out for a registered function, or name a path that exists.',
      },
    );
  }
  const api = await openApi(invocation, options);
  const { function_id: id, function_name: name } = await findFunction(api, named);
  const register = async (copyName: string, memoryMb: number) => {
    const json = JSON.stringify({ function_name: copyName, memory_mb: memoryMb, ...timeoutOf(options) });
    const { body } = await api.call('POST', `/functions/${id}/copies`, { json });
    return body as ServerFunction;
  };
  return { name, runner: new ServerRunner(invocation, { api, name, register, inputJson }) };
}

/** The controller takes whole seconds. */
function timeoutOf({ timeout }: RunnerOptions): { timeout?: number } {
  return timeout === undefined ? {} : { timeout: Math.ceil(timeout / 1_000) };
}

/** More than there are would be given as many as there are: two sizes would be one. */
async function checkProcessors(cpus: readonly number[], { config }: LoadedConfig): Promise<void> {
  const { processors } = await new DockerEngine(createDockerClient(config.docker.host)).info();
  const most = Math.max(...cpus);
  if (most <= processors) return;
  throw new NanoGridError('NG_USAGE', `The Docker engine has ${processors} processors, and --cpus asks for ${most}.`, {
    hint: `Give --cpus no number above ${processors}.`,
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
