/** Makes the factory of a plugin, with the types of its options inferred from their JSON Schema. Owns no state. */

import type { FromSchema, JSONSchema } from 'json-schema-to-ts';
import type { JsonSchema, Plugin, PluginFactory, PluginHost, PluginScope, Services } from './plugin.js';

/** The schema as the host checks with it: keys that an object does not name are refused, at every depth. */
type Closed<S> = S extends { readonly properties: infer P }
  ? {
      readonly [K in keyof S | 'additionalProperties']: K extends 'properties'
        ? { readonly [N in keyof P]: Closed<P[N]> }
        : K extends keyof S
          ? S[K]
          : false;
    }
  : S extends { readonly items: object }
    ? { readonly [K in keyof S]: K extends 'items' ? Closed<S[K]> : S[K] }
    : S;

type Resolve<S, Options extends { keepDefaultedPropertiesOptional: boolean }> = [OptionName<S>] extends [never]
  ? Record<string, never>
  : // In two steps: with "infer C extends JSONSchema" the compiler gives up while it infers `options` in `apply`.
    Closed<S> extends infer C
    ? C extends JSONSchema
      ? FromSchema<C, Options>
      : never
    : never;

/** Options as `apply` gets them: checked, with those that have a default always present. */
export type PluginOptions<S> = Resolve<S, { keepDefaultedPropertiesOptional: false }>;

/** Options as a user gives them: those with a default, and those named by `FromEnv`, may be left out. */
export type PluginOptionsInput<S, FromEnv extends PropertyKey = never> = Relaxed<
  Resolve<S, { keepDefaultedPropertiesOptional: true }>,
  FromEnv
>;

type Relaxed<T, K extends PropertyKey> = [K] extends [never] ? T : Omit<T, K> & Partial<Pick<T, K & keyof T>>;

type OptionName<S> = S extends { readonly properties: infer P } ? keyof P & string : never;

/** A plugin as its author writes it. */
export interface PluginDefinition<
  S,
  E extends Readonly<Record<string, OptionName<S>>> = Readonly<Record<string, OptionName<S>>>,
> {
  /** npm-style name, for instance `@acme/nanogrid-plugin-audit`. */
  readonly name: string;
  /** Semantic version of the plugin. */
  readonly version: string;
  /** Range of `@nanogrid/core` versions that it works with, for instance `^0.1.0`. */
  readonly core: string;
  /**
   * JSON Schema (draft 7) of the options, an object schema, written in place so that their types can be read from it.
   * Keys that it does not name are refused. `secret: true` or `writeOnly: true` keeps an option's value out of messages.
   */
  readonly optionsSchema: S;
  /** Environment variables that are defaults for options: variable to option name. Of several for one option the first that is set counts. */
  readonly env?: E;
  /** The services that `apply` provides. Default: none. */
  readonly provides?: readonly (keyof Services)[];
  /** `worker`: left out where `nanogrid run` runs a single job. Default `any`. */
  readonly scope?: PluginScope;
  /** Called once, with the checked options and their defaults. Registers taps and services; starts nothing. */
  apply(host: PluginHost, options: PluginOptions<S>): void | Promise<void>;
}

/**
 * Makes a plugin's factory: `export const audit = definePlugin({ … })`, then `plugins: [audit({ … })]`.
 * Nothing is checked yet: the host does that when the plugin registers (`NG_PLUGIN_INVALID`).
 */
export function definePlugin<
  const S extends { readonly type: 'object' } & JsonSchema,
  // Without `env` nothing is inferred: then no option comes from a variable.
  const E extends Readonly<Record<string, OptionName<S>>> = Readonly<Record<string, never>>,
>(definition: PluginDefinition<S, E>): PluginFactory<PluginOptionsInput<S, E[keyof E]>> {
  const { name, version, core, optionsSchema, env, provides = [], scope = 'any' } = definition;
  return (options) =>
    Object.freeze<Plugin>({
      name,
      version,
      core,
      optionsSchema,
      env: env ?? {},
      provides,
      scope,
      options: (options ?? {}) as Record<string, unknown>,
      apply: (host, checked) => definition.apply(host, checked as PluginOptions<S>),
    });
}
