/** `nanogrid run PATH`: one function through the real pipeline, with nothing set up and nothing left behind. Owns no state. */

import { join, resolve } from 'node:path';
import { type LoadedConfig, type Logger, type Runtime, silentLogger, Worker } from '@nanogrid/core';
import type { Command } from 'commander';
import { guessRuntime } from '../code/guess-runtime.js';
import { type Code, readCode } from '../code/read-code.js';
import { copyOutputs } from '../copy-outputs.js';
import type { Execute, Invocation } from '../invocation.js';
import type { Io } from '../io.js';
import { isolate, openScratchStore } from '../isolate.js';
import { jobMessage, newJobId } from '../job-message.js';
import { loadProject } from '../load-project.js';
import { readInput } from '../read-input.js';
import { makeScratch } from '../scratch.js';
import { deliverResult } from '../ui/deliver-result.js';
import { FunctionLog } from '../ui/function-log.js';
import { ProgressDisplay } from '../ui/image-progress.js';
import { addJobOptions, type JobOptions, teach } from './shared.js';

export function addRun(parent: Command, execute: Execute): void {
  const command = parent
    .command('run')
    .argument('<path>', 'folder of the function, a .zip of one, or a single source file')
    .summary('run one function here and now')
    .description(
      `Runs one function in a container through the real pipeline, without a worker or any set-up. What the function
writes goes to standard error while it runs; its result goes to standard output as JSON (a handler's return value,
or a script's last line where that is JSON). Files it leaves in /output are copied to nanogrid-output/<job id>.`,
    );
  addJobOptions(command).action((path: string, options: JobOptions) =>
    execute((invocation) => runFunction(invocation, path, options)),
  );
  teach(
    command,
    `
nanogrid run hello.py
nanogrid run examples/functions/hello --input '{"name": "Ada"}'
nanogrid run resize --handler main.handler --input @event.json --output thumbnails
echo '{"n": 3}' | nanogrid run code.zip --input - --timeout 5000 --memory 128
nanogrid run hello --json | jq .phases`,
  );
}

async function runFunction(invocation: Invocation, path: string, options: JobOptions): Promise<number> {
  const { io } = invocation;
  const input = await readInput(options.input, io);
  const loaded = await loadProject(invocation);
  const code = await readCode(path, io.cwd, loaded.config.code.limits, options.handler);
  const runtime =
    options.runtime === undefined
      ? guessRuntime({ ...code, handler: options.handler }, loaded.runtimes)
      : loaded.runtimeRegistry.resolve(options.runtime).runtime;
  const scratch = await makeScratch(io);
  try {
    return await runIn(invocation, loaded, { code, runtime, input, options, scratch: scratch.path });
  } finally {
    await scratch.remove();
  }
}

interface Request {
  readonly code: Code;
  readonly runtime: Runtime;
  readonly input: unknown;
  readonly options: JobOptions;
  readonly scratch: string;
}

async function runIn({ io, ui }: Invocation, loaded: LoadedConfig, request: Request): Promise<number> {
  const { code, runtime, input, options, scratch } = request;
  const { signal } = io.interruption;
  const id = newJobId();
  const { functionId } = code;
  const key = `functions/${functionId}/${code.keyName}`;
  const { handler, timeout: timeoutMs, memory: memoryMb } = options;
  const job = { id, functionId, runtime: options.runtime ?? runtime.name, key, input, handler, timeoutMs, memoryMb };
  const message = jobMessage(job, loaded.config);
  const progress = new ProgressDisplay(io);
  const log = new FunctionLog(io.stderr);
  const store = await openScratchStore(loaded, scratch);
  const worker = new Worker({
    loaded: isolate(loaded, { runtime, scratch, store }),
    env: io.env,
    log: ui.verbose ? await verboseLog(io) : silentLogger,
    onProgress: progress.update,
    images: 'all',
    onLog: (_job, stream, chunk) => log.write(stream, chunk),
  });
  try {
    await store.code.put({ bucket: undefined, key }, await code.bytes(join(scratch, 'code.zip'), signal));
    await worker.start(signal);
    progress.stop();
    await store.queue.send(message);
    const record = await store.results.wait(id, signal);
    log.end();
    signal.throwIfAborted();
    if (record === undefined) throw new Error('the job ended without a result');
    const directory = resolve(io.cwd, options.output ?? join('nanogrid-output', id));
    return deliverResult(ui, await copyOutputs(record, directory), { logs: false });
  } finally {
    progress.stop();
    await worker.stop();
    await store.close();
  }
}

async function verboseLog({ stderr, env }: Io): Promise<Logger> {
  const { createLogger } = await import('../create-logger.js');
  return createLogger({ level: 'debug', stream: stderr, env, json: false });
}
