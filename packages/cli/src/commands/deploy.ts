/** `nanogrid deploy PATH`: registers a function with a controller, or a new version of one. Owns no state. */

import { resolve } from 'node:path';
import { NanoGridError } from '@nanogrid/core';
import type { Command } from 'commander';
import type { ConnectionOptions } from '../client/connection.js';
import { FUNCTION_FILE, type FunctionFile, readFunctionFile } from '../client/function-file.js';
import { findByName } from '../client/resolve-function.js';
import { uploadFunction } from '../client/upload-function.js';
import { addConnectionOptions, openApi } from '../client/with-api.js';
import { guessRuntime } from '../code/guess-runtime.js';
import { readCode } from '../code/read-code.js';
import { CLIENT_EXIT_CODES_HELP, EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { handlerName, id, wholeNumber } from '../parse-options.js';
import { teach } from './shared.js';

interface DeployOptions extends ConnectionOptions {
  readonly name?: string;
  readonly runtime?: string;
  readonly handler?: string;
  readonly timeout?: number;
  readonly memory?: number;
  readonly setEnv?: readonly string[];
  readonly functionId?: string;
}

export function addDeploy(parent: Command, execute: Execute): void {
  const command = parent
    .command('deploy')
    .argument('<path>', 'folder of the function, a .zip of one, or a single source file')
    .summary('register a function with a controller, or a new version of it')
    .description(
      `Packs the function and registers it with the controller; prints its id. A function of the same name gets a new version:
the name is what counts, so nothing has to be remembered on this machine (with two of one name, --function-id tells
which). A folder may hold ${FUNCTION_FILE} with name, runtime, handler, timeout (seconds), memory_mb, env and function_id;
options come before it. What .nanogridignore names stays out of the archive, ${FUNCTION_FILE} does always.`,
    )
    .option('--name <name>', `name of the function; default: that of ${FUNCTION_FILE}, else of PATH`)
    .option('--runtime <name>', 'runtime to use; default: told by the names of the files')
    .option('--handler <file.function>', 'call this function instead of running the entry point', handlerName)
    .option('--timeout <s>', 'time limit in seconds', wholeNumber(1))
    .option('--memory <mb>', 'memory limit in MiB', wholeNumber(1))
    .option(
      '--set-env <key=value>',
      'a variable of the function, may be repeated; KEY alone takes its value from here',
      collect,
    )
    .option('--function-id <id>', 'the function that gets a new version', id);
  addConnectionOptions(command).action((path: string, options: DeployOptions) =>
    execute((invocation) => deploy(invocation, path, options)),
  );
  teach(
    command,
    `
nanogrid deploy examples/functions/hello
nanogrid deploy main.py --name hello --timeout 10 --set-env GREETING=Hi --set-env API_TOKEN
nanogrid deploy code.zip --runtime node --handler app.handler --server https://nanogrid.example.com
nanogrid invoke hello --input '{"name": "Ada"}'`,
    CLIENT_EXIT_CODES_HELP,
  );
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

async function deploy(invocation: Invocation, path: string, options: DeployOptions): Promise<number> {
  const { io, ui } = invocation;
  const api = await openApi(invocation, options);
  const file = await readFunctionFile(resolve(io.cwd, path));
  const settings = merge(file, options, io.env);
  const { config, runtimes } = await loadProject(invocation);
  const code = await readCode(path, io.cwd, config.code.limits, settings.handler, [`/${FUNCTION_FILE}`]);
  const name = settings.name ?? code.functionId;
  // The server may have runtimes that are not configured here: a name that is given is for the server to judge.
  const runtime = settings.runtime ?? guessRuntime({ ...code, handler: settings.handler }, runtimes).name;
  const functionId = settings.function_id ?? (await findByName(api, name))?.function_id;
  const answer = await uploadFunction(invocation, api, code, { ...settings, name, runtime }, functionId);
  const { function_id, version } = answer;
  ui.note(`${functionId === undefined ? 'Registered' : 'Updated'} ${name} (${answer.runtime}), version ${version}.`);
  ui.note(ui.style.dim(`nanogrid invoke ${name.includes(' ') ? function_id : name} --input '{}'`));
  ui.result(answer, function_id);
  return EXIT.ok;
}

function merge(file: FunctionFile, options: DeployOptions, env: Invocation['io']['env']): FunctionFile {
  const { name, runtime, handler, timeout, memory, functionId } = options;
  const given = { name, runtime, handler, timeout, memory_mb: memory, function_id: functionId };
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...file, ...Object.fromEntries(defined), env: { ...file.env, ...variables(options.setEnv ?? [], env) } };
}

function variables(texts: readonly string[], env: Invocation['io']['env']): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      const value = env[text];
      if (value !== undefined) return [text, value];
      throw new NanoGridError('NG_USAGE', `The variable ${JSON.stringify(text)} has no value.`, {
        hint: 'Write KEY=VALUE, or name a variable that is set here.',
      });
    }),
  );
}
