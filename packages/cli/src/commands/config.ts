/** `nanogrid config check|print|schema`: the configuration as it is understood. Owns no state. */

import { editorSchema, type LoadedConfig, printConfig } from '@nanogrid/core';
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { teach } from './shared.js';

export function addConfig(parent: Command, execute: Execute): void {
  const config = parent
    .command('config')
    .summary('check or print the configuration')
    .description('Checks or prints nanogrid.config.{ts,mts,js,mjs,json,yaml} or the key "nanogrid" of package.json.');
  const check = config
    .command('check')
    .summary('check the configuration')
    .description('Checks the configuration with every environment in it, the runtimes and the plugins’ options.')
    .action(() => execute(checkConfig));
  teach(check, 'nanogrid config check\nnanogrid config check --env production --json');
  const print = config
    .command('print')
    .summary('print the configuration with all defaults')
    .description('Prints every value as it is after defaults, environment variables, file and overlay; no secrets.')
    .option('--sources', 'print where each value comes from instead')
    .action((options: { sources?: true }) =>
      execute((invocation) => printLoaded(invocation, options.sources === true)),
    );
  teach(print, 'nanogrid config print --env production\nnanogrid config print --sources | grep http');
  const schema = config
    .command('schema')
    .summary('print the JSON Schema')
    .description('Prints the JSON Schema of the configuration, for editors.')
    .action(() =>
      execute(async ({ ui }) => {
        printDocument({ ui }, editorSchema());
        return EXIT.ok;
      }),
    );
  teach(schema, 'nanogrid config schema > nanogrid.config.schema.json');
}

async function checkConfig(invocation: Invocation): Promise<number> {
  const loaded = await loadProject(invocation);
  const { filePath, environments, runtimes, plugins, config } = loaded;
  const document = {
    valid: true,
    file: filePath ?? null,
    environment: config.environment ?? null,
    environments,
    runtimes: runtimes.map(({ name }) => name),
    plugins: plugins.map(({ name }) => name),
  };
  invocation.ui.result(document, describe(loaded));
  return EXIT.ok;
}

function describe({ filePath, runtimes, plugins, config }: LoadedConfig): string {
  const where = filePath ?? 'The configuration (no file, defaults only)';
  const overlay = config.environment === undefined ? '' : ` with environment ${config.environment}`;
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).join(', ') || 'none';
  return `${where}${overlay} is valid. Runtimes: ${names(runtimes)}. Plugins: ${names(plugins)}.`;
}

async function printLoaded(invocation: Invocation, sources: boolean): Promise<number> {
  const loaded = await loadProject(invocation);
  if (!sources) printDocument(invocation, printConfig(loaded));
  else {
    const sources = { ...loaded.sources, ...optionSources(loaded) };
    const lines = Object.entries(sources).map(([path, source]) => `${path}: ${source}`);
    invocation.ui.result(sources, lines.join('\n'));
  }
  return EXIT.ok;
}

/** The same for the options of plugins; options without a value have no source. */
function optionSources({ checkedPlugins }: LoadedConfig): Record<string, string> {
  const entries = checkedPlugins.flatMap(({ plugin, options, sources }) =>
    Object.keys(options).map((option) => {
      const given = Object.hasOwn(plugin.options, option) ? 'the configuration file' : 'built-in defaults';
      return [`plugins[${plugin.name}].${option}`, sources.get(option) ?? given];
    }),
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Indented also for a pipe: these documents are read, compared and committed. */
function printDocument({ ui }: Pick<Invocation, 'ui'>, document: unknown): void {
  if (ui.json) ui.printJson(document);
  else ui.print(JSON.stringify(document, null, 2));
}
