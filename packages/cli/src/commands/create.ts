/** `nanogrid create runtime|plugin NAME`: a package that builds, passes its tests and runs at once. Owns no state. */

import { createRequire } from 'node:module';
import { relative, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type TemplateName, writeTemplate } from '../create/write-template.js';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { teach } from './shared.js';

interface CreateOptions {
  readonly directory?: string;
}

export function addCreate(parent: Command, execute: Execute): void {
  const create = parent
    .command('create')
    .summary('make a package: a runtime or a plugin')
    .description(
      'Makes the package of a language (runtime) or of a plugin: it builds, passes its tests and runs at once.',
    );
  const kinds = {
    runtime:
      'Makes a package for a language, with a function to run and the conformance kit as its test. Nothing is overwritten.',
    plugin:
      'Makes a package for a plugin, with options, two taps, tests, and a function to run. Nothing is overwritten.',
  };
  for (const [kind, description] of Object.entries(kinds) as [TemplateName, string][]) {
    const command = create
      .command(kind)
      .argument('<name>', `name of the ${kind}: lower-case letters, digits and "-"`, packageWord)
      .summary(`make a ${kind}`)
      .description(description)
      .option('--directory <dir>', `folder to make; default: ${kind}-<name>`)
      .action((name: string, options: CreateOptions) =>
        execute((invocation) => createPackage(invocation, kind, name, options)),
      );
    const example = kind === 'runtime' ? 'lua' : 'audit';
    teach(
      command,
      `nanogrid create ${kind} ${example}\nnanogrid create ${kind} ${example} --directory packages/${example}`,
    );
  }
}

async function createPackage(
  { io, ui }: Invocation,
  kind: TemplateName,
  name: string,
  options: CreateOptions,
): Promise<number> {
  const directory = resolve(io.cwd, options.directory ?? `${kind}-${name}`);
  const blanks = { name, identifier: identifierOf(name, kind), version: ownVersion() };
  const files = await writeTemplate(kind, directory, blanks);
  const packageName = `nanogrid-${kind}-${name}`;
  const input = kind === 'runtime' ? 'hello' : 'Ada';
  const text = `Made the package ${packageName}. Next:

  cd ${relative(io.cwd, directory) || '.'}
  npm install
  npm test
  npx nanogrid run example --input '"${input}"'

Then make it yours: README.md says where.`;
  ui.result({ kind, name: packageName, directory, files }, text);
  return EXIT.ok;
}

/** A parser for names that are part of the name of a package, and of a runtime. */
function packageWord(text: string): string {
  if (!/^(?=.{1,64}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(text)) {
    throw new InvalidArgumentError(
      'It must be lower-case letters, digits and "-" between them, at most 64, a letter first.',
    );
  }
  return text;
}

/** `my-lang` and `runtime` as `myLangRuntime`; with the kind's name it is never a word of the language itself. */
function identifierOf(name: string, kind: TemplateName): string {
  return `${name}-${kind}`.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function ownVersion(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version;
}
