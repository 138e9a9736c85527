/** `nanogrid keys create`: makes an API key for the controller. Owns no state. */

import type { ApiKeyScope } from '@nanogrid/core';
import { type Command, Option } from 'commander';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { id } from '../parse-options.js';
import { teach } from './shared.js';

interface KeyOptions {
  readonly id: string;
  readonly owner?: string;
  readonly scope?: readonly ApiKeyScope[];
}

const SCOPES: readonly ApiKeyScope[] = ['submit', 'manage', 'read'];

export function addKeys(parent: Command, execute: Execute): void {
  const group = parent
    .command('keys')
    .summary('make API keys for the controller')
    .description('Makes API keys for the controller. Only their digests are ever stored.');
  const command = group
    .command('create')
    .summary('make an API key')
    .description(
      `Makes a key of 256 random bits. The key goes to standard output, once, and is stored nowhere: hand it to the client.
What the controller's configuration holds of it, its SHA-256, goes to standard error as the line to add to
"controller.apiKeys".`,
    )
    .option('--id <id>', 'name of the key, in logs and messages', id, 'default')
    .option('--owner <id>', 'whose functions and jobs it sees; default: those of its own id', id)
    .addOption(
      new Option(
        '--scope <scope...>',
        'what it may do; default: everything (submit: run and cancel; manage: deploy and delete; read: look)',
      ).choices(SCOPES),
    )
    .action((options: KeyOptions) => execute((invocation) => createKey(invocation, options)));
  teach(
    command,
    `
nanogrid keys create --id laptop
nanogrid keys create --id ci --owner team-a --scope manage read
export NANOGRID_API_KEY="$(nanogrid keys create)"
nanogrid keys create --id laptop --json | jq .config`,
  );
}

async function createKey({ ui }: Invocation, { id, owner, scope }: KeyOptions): Promise<number> {
  const { newApiKey } = await import('@nanogrid/controller');
  const { key, hash } = newApiKey();
  const config = {
    id,
    hash,
    ...(owner === undefined ? {} : { owner }),
    ...(scope === undefined ? {} : { scopes: scope }),
  };
  if (ui.json) ui.printJson({ key, config });
  else {
    ui.print(key);
    ui.note(`The key ${id} is shown once and stored nowhere. Add this to "controller.apiKeys" of the configuration:`);
    ui.note(JSON.stringify(config));
  }
  return EXIT.ok;
}
