/** `nanogrid functions ls|rm`: lists the functions of a controller, and deletes one. Owns no state. */

import type { Command } from 'commander';
import type { ConnectionOptions } from '../client/connection.js';
import { findFunction, listFunctions, type ServerFunction } from '../client/resolve-function.js';
import { addConnectionOptions, openApi } from '../client/with-api.js';
import { CLIENT_EXIT_CODES_HELP, EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { formatTable } from '../ui/format.js';
import { teach } from './shared.js';

export function addFunctions(parent: Command, execute: Execute): void {
  const group = parent
    .command('functions')
    .summary('list and delete the functions of a controller')
    .description('Works on the functions that the API key may see.');
  const ls = group.command('ls').summary('list functions').description('Lists all functions, with id and version.');
  addConnectionOptions(ls).action((options: ConnectionOptions) => execute((invocation) => list(invocation, options)));
  teach(
    ls,
    "nanogrid functions ls\nnanogrid functions ls --json | jq -r '.functions[].function_name'",
    CLIENT_EXIT_CODES_HELP,
  );
  const rm = group
    .command('rm')
    .argument('<function>', 'name or id of the function')
    .summary('delete a function')
    .description('Deletes a function and its code. Jobs of it that wait in the queue will fail.');
  addConnectionOptions(rm).action((name: string, options: ConnectionOptions) =>
    execute((invocation) => remove(invocation, name, options)),
  );
  teach(rm, 'nanogrid functions rm hello\nnanogrid functions rm fn-0c0ffee0', CLIENT_EXIT_CODES_HELP);
}

async function list(invocation: Invocation, options: ConnectionOptions): Promise<number> {
  const { ui } = invocation;
  const functions: ServerFunction[] = [];
  for await (const fn of listFunctions(await openApi(invocation, options))) functions.push(fn);
  functions.sort((a, b) => a.function_name.localeCompare(b.function_name));
  const rows = functions.map((fn) => [fn.function_name, fn.function_id, fn.runtime, String(fn.version), fn.updated_at]);
  ui.result({ functions }, formatTable(['NAME', 'ID', 'RUNTIME', 'VERSION', 'UPDATED'], rows));
  return EXIT.ok;
}

async function remove(invocation: Invocation, name: string, options: ConnectionOptions): Promise<number> {
  const { ui } = invocation;
  const api = await openApi(invocation, options);
  const { function_id, function_name } = await findFunction(api, name);
  await api.call('DELETE', `/functions/${function_id}`);
  ui.note(`Deleted ${function_name} (${function_id}).`);
  if (ui.json) ui.printJson({ function_id, function_name, deleted: true });
  return EXIT.ok;
}
