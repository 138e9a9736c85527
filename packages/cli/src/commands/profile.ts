/** `nanogrid profile set|ls|rm`: remembers controllers and the keys that they want. Owns no state. */

import { text } from 'node:stream/consumers';
import { NanoGridError } from '@nanogrid/core';
import type { Command } from 'commander';
import { serverAddress } from '../client/connection.js';
import { type Profile, profilesPath, readProfiles, writeProfiles } from '../client/profiles.js';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { id } from '../parse-options.js';
import { formatTable } from '../ui/format.js';
import { teach } from './shared.js';

interface SetOptions {
  readonly server: string;
  readonly apiKey?: string;
  readonly default?: true;
}

export function addProfile(parent: Command, execute: Execute): void {
  const group = parent
    .command('profile')
    .summary('remember controllers and their keys')
    .description('Keeps names for controllers in ~/.config/nanogrid/profiles.json, which only its owner may read.');
  const set = group
    .command('set')
    .argument('<name>', 'name of the profile', id)
    .summary('make or replace a profile')
    .description(
      'Makes or replaces a profile. The first one is used where none is named, until --default says another.',
    )
    .requiredOption('--server <url>', 'address of the controller')
    .option('--api-key <key>', 'API key; - reads it from standard input, which keeps it out of the shell’s history')
    .option('--default', 'use it where none is named')
    .action((name: string, options: SetOptions) => execute((invocation) => setProfile(invocation, name, options)));
  teach(
    set,
    `
nanogrid profile set home --server http://127.0.0.1:3000
nanogrid profile set work --server https://nanogrid.example.com --api-key - --default < key.txt`,
  );
  const ls = group
    .command('ls')
    .summary('list profiles')
    .description('Lists the profiles, without their keys.')
    .action(() => execute(listProfiles));
  teach(ls, 'nanogrid profile ls\nnanogrid profile ls --json | jq .default');
  const rm = group
    .command('rm')
    .argument('<name>', 'name of the profile', id)
    .summary('delete a profile')
    .description('Deletes a profile and its key.')
    .action((name: string) => execute((invocation) => removeProfile(invocation, name)));
  teach(rm, 'nanogrid profile rm work');
}

async function setProfile({ io, ui }: Invocation, name: string, options: SetOptions): Promise<number> {
  const server = serverAddress(options.server).href.replace(/\/$/, '');
  const apiKey = options.apiKey === '-' ? (await text(io.stdin)).trim() : options.apiKey;
  const path = profilesPath(io);
  const before = await readProfiles(path);
  const profile: Profile = { server, ...(apiKey === undefined || apiKey === '' ? {} : { apiKey }) };
  const usual = options.default ? name : (before.default ?? name);
  await writeProfiles(path, { default: usual, profiles: { ...before.profiles, [name]: profile } });
  ui.note(`The profile ${name} is kept in ${path}${usual === name ? ', and used where none is named' : ''}.`);
  if (ui.json) ui.printJson({ name, server, default: usual === name, path });
  return EXIT.ok;
}

async function listProfiles({ io, ui }: Invocation): Promise<number> {
  const { profiles, default: usual } = await readProfiles(profilesPath(io));
  const shown = Object.entries(profiles).map(([name, { server, apiKey }]) => ({
    name,
    server,
    key: apiKey !== undefined,
  }));
  const rows = shown.map(({ name, server, key }) => [
    name,
    server,
    key ? 'yes' : 'no',
    name === usual ? 'default' : '',
  ]);
  ui.result({ default: usual ?? null, profiles: shown }, formatTable(['NAME', 'SERVER', 'KEY', ''], rows));
  return EXIT.ok;
}

async function removeProfile({ io, ui }: Invocation, name: string): Promise<number> {
  const path = profilesPath(io);
  const { profiles, default: usual } = await readProfiles(path);
  if (!Object.hasOwn(profiles, name)) {
    throw new NanoGridError('NG_USAGE', `There is no profile ${name}.`, { hint: 'nanogrid profile ls shows them.' });
  }
  const { [name]: _gone, ...rest } = profiles;
  await writeProfiles(path, { ...(usual === undefined || usual === name ? {} : { default: usual }), profiles: rest });
  ui.note(`The profile ${name} is deleted.`);
  if (ui.json) ui.printJson({ name, deleted: true });
  return EXIT.ok;
}
