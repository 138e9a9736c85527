/** Shows a loaded configuration as plain data with its secrets removed. Owns no state. */

import { isSecret, optionSchema } from '../plugin/options-schema.js';
import type { JsonSchema } from '../plugin/plugin.js';
import type { LoadedConfig } from './load-config.js';
import { isPlainObject } from './plain-object.js';
import { looksSecret, REDACTED, redactText } from './show-value.js';

/**
 * The configuration as an object that JSON can hold. Replaced by `***`: options that their schema marks `secret` or
 * `writeOnly`, options whose name looks like a secret's, and the user part of URLs.
 */
export function printConfig(loaded: LoadedConfig): Record<string, unknown> {
  const { environment, ...settings } = loaded.config;
  return {
    file: loaded.filePath ?? null,
    environment: environment ?? null,
    ...(redact(settings) as Record<string, unknown>),
    runtimes: loaded.runtimes.map(({ name, aliases = [], image, version }) => ({
      name,
      aliases,
      image: redact(typeof image === 'string' ? image : { name: image.name, build: String(image.context) }),
      version: version ?? null,
    })),
    plugins: loaded.checkedPlugins.map(({ plugin, options }) => ({
      name: plugin.name,
      version: plugin.version,
      options: redact(options, plugin.optionsSchema),
    })),
  };
}

/**
 * The secrets that the configuration and the options of plugins hold, for a log that is to show none of them. Very short
 * ones are left out: they would be found in the middle of words.
 */
export function secretValues({ config, checkedPlugins }: Pick<LoadedConfig, 'config' | 'checkedPlugins'>): string[] {
  const { callbacks, apiKeys } = config.controller;
  const own = [callbacks.secret, callbacks.previousSecret, ...apiKeys.map(({ callbackSecret }) => callbackSecret)];
  const found = [
    ...own.filter((text) => text !== undefined),
    ...checkedPlugins.flatMap(({ plugin, options }) => secretsIn(options, plugin.optionsSchema, false)),
  ];
  return found.filter((text) => text.length >= 6);
}

function secretsIn(value: unknown, schema: JsonSchema, secret: boolean): string[] {
  if (typeof value === 'string') return secret || isSecret(schema) ? [value] : [];
  if (!isPlainObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    secretsIn(inner, optionSchema(schema, key) ?? {}, secret || isSecret(schema) || looksSecret(key)),
  );
}

function redact(value: unknown, schema: JsonSchema = {}): unknown {
  if (isSecret(schema)) return REDACTED;
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) {
    const items = isPlainObject(schema.items) ? schema.items : {};
    return value.map((item) => redact(item, items));
  }
  if (isPlainObject(value)) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return Object.fromEntries(entries.map(([key, inner]) => [key, redactMember(key, inner, schema)]));
  }
  if (value instanceof URL) return redactText(value.href);
  if (typeof value === 'object' && value !== null) return `[${value.constructor?.name ?? 'object'}]`;
  return typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint'
    ? String(typeof value)
    : value;
}

function redactMember(key: string, value: unknown, schema: JsonSchema): unknown {
  // A number or a boolean (`useToken: true`) is a setting; a text or what holds texts may be the secret itself.
  if (looksSecret(key) && typeof value !== 'number' && typeof value !== 'boolean') return REDACTED;
  return redact(value, optionSchema(schema, key));
}
