/** `nanogrid invoke NAME|ID`: runs a function of a controller. Owns no state. */

import type { Command } from 'commander';
import type { ConnectionOptions } from '../client/connection.js';
import { findFunction } from '../client/resolve-function.js';
import { FunctionRun } from '../client/run-function.js';
import { addConnectionOptions, openApi } from '../client/with-api.js';
import { CLIENT_EXIT_CODES_HELP, EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { readInputText } from '../read-input.js';
import { deliverResult } from '../ui/deliver-result.js';
import { teach } from './shared.js';

interface InvokeOptions extends ConnectionOptions {
  readonly input?: string;
  readonly async?: true;
  readonly idempotencyKey?: string;
}

export function addInvoke(parent: Command, execute: Execute): void {
  const command = parent
    .command('invoke')
    .argument('<function>', 'name or id of the function')
    .summary('run a function of a controller')
    .description(
      `Runs a function and waits for its result, however long it takes: the log, the peak memory and the tip go to standard
error, the result goes to standard output as JSON. A connection that breaks meanwhile is made again, and the job still
runs once. Ctrl-C ends the wait, not the job: nanogrid cancel ID does.`,
    )
    .option('--input <json>', 'the input: JSON, @FILE, or - for standard input')
    .option('--async', 'do not wait: print the id of the job')
    .option('--idempotency-key <key>', 'a key of your own: the same one again gives the answer of the first time');
  addConnectionOptions(command).action((name: string, options: InvokeOptions) =>
    execute((invocation) => invoke(invocation, name, options)),
  );
  teach(
    command,
    `
nanogrid invoke hello --input '{"name": "Ada"}'
nanogrid invoke resize --input @event.json --json | jq .output_files
nanogrid status "$(nanogrid invoke long --async)" --wait`,
    CLIENT_EXIT_CODES_HELP,
  );
}

async function invoke(invocation: Invocation, name: string, options: InvokeOptions): Promise<number> {
  const { io, ui } = invocation;
  const { signal } = io.interruption;
  const inputJson = await readInputText(options.input, io);
  const api = await openApi(invocation, options);
  const { function_id: functionId } = await findFunction(api, name);
  const { idempotencyKey: key } = options;
  const run = new FunctionRun(api, { functionId, inputJson, ...(key === undefined ? {} : { key }) }, signal);
  const jobId = await run.submit();
  if (options.async) {
    ui.result({ job_id: jobId, function_id: functionId, status: 'pending' }, jobId);
    return EXIT.ok;
  }
  ui.note(ui.style.dim(`Job ${jobId}`));
  return deliverResult(ui, await run.result(), { logs: true });
}
