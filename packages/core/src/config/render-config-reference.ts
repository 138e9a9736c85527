/** Renders `docs/configuration.md` from the schema of the configuration. Owns no state. */

import { settingsProperties } from './config-schema.js';
import { CONFIG_FILE_NAMES } from './find-config.js';
import { isPlainObject } from './plain-object.js';
import { SETTING_VARIABLES } from './read-variables.js';

type Schema = Readonly<Record<string, unknown>>;

/** The text of `docs/configuration.md`. */
export function renderConfigReference(): string {
  const properties = Object.entries(settingsProperties as Readonly<Record<string, Schema>>);
  const single = properties.filter(([, schema]) => !isGroup(schema) && !isMapOfGroups(schema));
  const groups = properties.filter(([, schema]) => isGroup(schema) || isMapOfGroups(schema));
  const sections = [
    INTRODUCTION,
    '## Keys\n',
    '### At the top\n',
    table(single.map(([key, schema]) => [key, schema])),
    ...groups.flatMap(([name, schema]) => [
      `### \`${name}\`\n`,
      `${schema.description}\n`,
      table(
        isMapOfGroups(schema) ? leaves(`${name}.<id>`, schema.additionalProperties as Schema) : leaves(name, schema),
      ),
    ]),
    VARIABLES,
  ];
  return `${sections.join('\n').trimEnd()}\n`;
}

function isGroup(schema: Schema): boolean {
  return isPlainObject(schema.properties);
}

/** Groups by names that the user chooses. */
function isMapOfGroups(schema: Schema): boolean {
  return isPlainObject(schema.additionalProperties) && isGroup(schema.additionalProperties);
}

/** The keys of a group, those of the groups in it included, with their whole path. */
function leaves(path: string, schema: Schema): [string, Schema][] {
  const properties = Object.entries(schema.properties as Readonly<Record<string, Schema>>);
  return properties.flatMap(([key, inner]): [string, Schema][] => {
    const innerPath = `${path}.${key}`;
    if (isGroup(inner)) return leaves(innerPath, inner);
    return isObjectList(inner) ? [[innerPath, inner], ...leaves(`${innerPath}[]`, inner.items)] : [[innerPath, inner]];
  });
}

function isObjectList(schema: Schema): schema is Schema & { items: Schema } {
  const items = schema.items as Schema | undefined;
  return schema.type === 'array' && items?.type === 'object' && items.properties !== undefined;
}

function table(rows: readonly [string, Schema][]): string {
  const lines = rows.map(
    ([path, schema]) =>
      `| \`${path}\` | ${typeOf(path, schema)} | ${defaultOf(schema)} | ${cell(String(schema.description))} |`,
  );
  return ['| Key | Type | Default | Meaning |', '|---|---|---|---|', ...lines, ''].join('\n');
}

function typeOf(path: string, schema: Schema): string {
  if (path === 'runtimes' || path === 'plugins') return 'list';
  if (schema.type === 'array') return isObjectList(schema) ? 'list of objects' : 'list of strings';
  if (schema.type === 'boolean') return 'true or false';
  if (schema.type === 'object') {
    const values = schema.additionalProperties as Schema | undefined;
    return values?.type === 'string' ? 'object of strings' : 'object of whole numbers';
  }
  if (schema.type === 'string') return 'string';
  const { minimum, maximum } = schema as { minimum: number; maximum: number };
  const range = maximum >= 2 ** 31 - 1 ? `≥ ${minimum}` : `${minimum} to ${grouped(maximum)}`;
  const word = typeof schema.pattern === 'string' ? ` or \`${schema.pattern.replace(/[$^]/g, '')}\`` : '';
  return `${schema.type === 'integer' ? 'whole number' : 'number'}, ${range}${word}`;
}

function defaultOf(schema: Schema): string {
  const value = schema.default;
  if (value === undefined) return '';
  if (typeof value !== 'number') return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
  const mib = value / (1024 * 1024);
  return value >= 1024 * 1024 && Number.isInteger(mib) ? `${grouped(value)} (${grouped(mib)} MiB)` : grouped(value);
}

function grouped(value: number): string {
  // From 10,000 on: a port or a year reads badly with a comma.
  return value < 10_000 ? String(value) : value.toLocaleString('en-US');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

const INTRODUCTION = `# Configuration

This page is generated from the configuration's schema; \`npm test\` fails where the two differ.

The configuration is a file beside your \`package.json\`. NanoGrid looks in the folder it is started in, then in the
folders above, for the first of these. A \`package.json\` counts where it has the key \`nanogrid\`; TypeScript needs no
build step.

${CONFIG_FILE_NAMES.map((name) => `- \`${name}\``).join('\n')}

\`\`\`ts
// nanogrid.config.ts
import { defineConfig } from '@nanogrid/core';
import local from '@nanogrid/plugin-local';
import acme from '@acme/nanogrid-runtime-acme';

export default defineConfig({
  runtimes: [acme()],
  plugins: [local()],
  job: { timeoutMs: 60_000 },
  environments: {
    production: { worker: { slots: 16 } },
  },
});
\`\`\`

In JSON and YAML, plugins and runtimes are named by their package, alone or with options. The package must be installed
where the configuration is, and its default export must be its factory.

\`\`\`yaml
# nanogrid.config.yaml
runtimes:
  - '@acme/nanogrid-runtime-acme'
plugins:
  - ['@nanogrid/plugin-local', {}]
job:
  timeoutMs: 60000
\`\`\`

For completion in JSON, add \`"$schema": "./node_modules/@nanogrid/core/schema/nanogrid.config.schema.json"\`.

## Layers

Each layer overrides those above it in this list:

1. the built-in defaults, as in the tables below; the command line brings the runtimes and plugins used where none are given;
2. environment variables;
3. the file's base;
4. the overlay of the chosen environment, \`environments.<name>\`, chosen with \`--env <name>\` or \`NANOGRID_ENV\`;
5. flags of the command line.

Objects merge key by key. Lists and everything else are replaced: an overlay that gives \`plugins\` gives all of them.
A value of \`undefined\` changes nothing. Relative folders start from the configuration file; those of variables and
flags from the current folder.

Everything is checked before anything starts, overlays that were not chosen included. An unknown key, a wrong type or
an impossible value is an error that names path, value, reason, the nearest valid key and where the value came from:

\`\`\`text
The configuration is not valid: worker.slotz: 4 is given, but there is no such key; did you mean "slots"? (in /srv/grid/nanogrid.config.ts)
\`\`\`

\`nanogrid config print --env production\` shows the result of all layers, with secrets replaced by \`***\`.
`;

const VARIABLES = `## Environment variables

They are read strictly: an empty value, \`2x\`, \`1e3\` or \`-1\` for a count is an error that names the variable. A
variable whose setting is given in the file or on the command line is not read.

| Variable | Sets |
|---|---|
${SETTING_VARIABLES.map(({ variable, path }) => `| \`${variable}\` | \`${path.join('.')}\` |`).join('\n')}
| \`WARM_POOL_<RUNTIME>_SIZE\` | \`pool.sizes.<runtime>\`, the name in upper case with \`_\` for \`-\`; without it the runtime's own size |
| \`NANOGRID_ENV\` | the overlay, where \`--env\` names none |

Variables of outside services belong to their plugins, whose documentation lists them; they are defaults under the
plugin's options and read as strictly.
`;
