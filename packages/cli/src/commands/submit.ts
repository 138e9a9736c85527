/** `nanogrid submit`: hands a job to the worker of this machine through the embedded queue. Owns no state. */

import { join, resolve } from 'node:path';
import { NanoGridError } from '@nanogrid/core';
import type { Local } from '@nanogrid/plugin-local';
import type { Command } from 'commander';
import { guessRuntime } from '../code/guess-runtime.js';
import { digestFile, readCode } from '../code/read-code.js';
import { copyOutputs } from '../copy-outputs.js';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { type JobRequest, jobMessage, newJobId } from '../job-message.js';
import { loadProject } from '../load-project.js';
import { openProjectStore } from '../local-store.js';
import { id } from '../parse-options.js';
import { readInput } from '../read-input.js';
import { makeScratch } from '../scratch.js';
import { deliverResult } from '../ui/deliver-result.js';
import { waitForResult } from '../wait-for-result.js';
import { addJobOptions, type JobOptions, teach } from './shared.js';

interface SubmitOptions extends JobOptions {
  readonly key?: string;
  readonly id?: string;
  readonly functionId?: string;
  readonly wait?: true;
}

export function addSubmit(parent: Command, execute: Execute): void {
  const command = parent
    .command('submit')
    .argument('[path]', 'folder of the function, a .zip of one, or a single source file')
    .summary('hand a job to the running worker')
    .description(
      `Puts the function's code into the embedded store and a job into the embedded queue of this machine, and prints the
job's id. A worker started with "nanogrid start" on the same data folder takes it, now or when it starts. With
--wait, prints the result as "run" does and exits as it does.`,
    )
    .option('--key <key>', 'code that is in the store already, instead of PATH; needs --runtime')
    .option('--id <id>', 'id of the job; default: a new one', id)
    .option('--function-id <id>', 'id of the function; default: the name of PATH', id)
    .option('--wait', 'wait for the result');
  addJobOptions(command).action((path: string | undefined, options: SubmitOptions) =>
    execute((invocation) => submit(invocation, path, options)),
  );
  teach(
    command,
    `
nanogrid submit examples/functions/hello --input '{"name": "Ada"}'
nanogrid submit code.zip --wait
nanogrid submit --key functions/hello/code.zip --runtime python
nanogrid result "$(nanogrid submit hello.py)" --wait`,
  );
}

async function submit(invocation: Invocation, path: string | undefined, options: SubmitOptions): Promise<number> {
  const { io, ui } = invocation;
  const { signal } = io.interruption;
  if ((path === undefined) === (options.key === undefined)) {
    throw new NanoGridError('NG_USAGE', 'Give either a PATH or a --key.', {
      hint: 'For instance: nanogrid submit hello.py',
    });
  }
  const input = await readInput(options.input, io);
  const loaded = await loadProject(invocation);
  const store = await openProjectStore(loaded);
  try {
    const code =
      path === undefined
        ? { functionId: 'function', ...(await storedCode(store, options, signal)) }
        : await storeCode(invocation, path, options, { store, loaded });
    const { handler, timeout: timeoutMs, memory: memoryMb } = options;
    const functionId = options.functionId ?? code.functionId;
    const job = { ...code, id: options.id ?? newJobId(), functionId, input, handler, timeoutMs, memoryMb };
    const message = jobMessage(job, loaded.config);
    // First the state, then the job: a worker may have taken it before this process runs again.
    await store.results.progress(job.id, 'pending');
    await store.queue.send(message);
    if (options.wait === undefined) {
      ui.result({ jobId: job.id, functionId, runtime: job.runtime, key: job.key, state: 'pending' }, job.id);
      return EXIT.ok;
    }
    ui.note(ui.style.dim(`Job ${job.id}`));
    const record = await waitForResult(store.results, job.id, ui, signal);
    const { output } = options;
    const shown = output === undefined ? record : await copyOutputs(record, resolve(io.cwd, output));
    return deliverResult(ui, shown, { logs: true });
  } finally {
    await store.close();
  }
}

type StoredCode = Pick<JobRequest, 'runtime' | 'key'>;

async function storedCode(store: Local, { key, runtime }: SubmitOptions, signal: AbortSignal): Promise<StoredCode> {
  if (key === undefined || runtime === undefined) {
    throw new NanoGridError('NG_USAGE', 'With --key the runtime has to be named.', { hint: 'Add --runtime NAME.' });
  }
  await store.code.head({ bucket: undefined, key }, signal);
  return { key, runtime };
}

async function storeCode(
  { io }: Invocation,
  path: string,
  options: SubmitOptions,
  { store, loaded }: { store: Local; loaded: Awaited<ReturnType<typeof loadProject>> },
): Promise<StoredCode & { functionId: string }> {
  const { handler } = options;
  const code = await readCode(path, io.cwd, loaded.config.code.limits, handler);
  const runtime =
    options.runtime === undefined
      ? guessRuntime({ ...code, handler }, loaded.runtimes).name
      : loaded.runtimeRegistry.resolve(options.runtime).askedName;
  const functionId = options.functionId ?? code.functionId;
  const scratch = await makeScratch(io);
  try {
    const file = await code.bytes(join(scratch.path, 'code.zip'), io.interruption.signal);
    // The digest in the key: a later submission never changes the code of a job that still waits.
    const key = `functions/${functionId}/${(await digestFile(file)).slice(0, 16)}/${code.keyName}`;
    await store.code.put({ bucket: undefined, key }, file);
    return { runtime, key, functionId };
  } finally {
    await scratch.remove();
  }
}
