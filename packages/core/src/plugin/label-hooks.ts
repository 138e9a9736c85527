/** Gives each plugin its own view of the hooks, which remembers whose tap is whose. Owns no state. */

import type { Hooks } from '../hooks.js';

/** The part of a tapable hook that is needed here, whatever its arguments. */
interface AnyHook {
  withOptions(options: object): object;
  promise(...args: unknown[]): Promise<unknown>;
  callAsync(...args: unknown[]): void;
}

/** The same hooks; taps registered through them carry `plugin`, whatever name the tap itself has. */
export function labelHooks(hooks: Hooks, plugin: string): Hooks {
  const views = Object.entries(hooks).map(([name, hook]) => [name, viewOf(hook as unknown as AnyHook, plugin)]);
  return Object.freeze(Object.fromEntries(views)) as Hooks;
}

/** The plugin that registered a tap; the tap's own name where it was registered on the hook itself. */
export function pluginOf(tap: { readonly name: string; readonly plugin?: unknown }): string {
  return typeof tap.plugin === 'string' ? tap.plugin : tap.name;
}

function viewOf(hook: AnyHook, plugin: string): object {
  return Object.assign(hook.withOptions({ plugin }), {
    promise: (...args: unknown[]) => hook.promise(...args),
    callAsync: (...args: unknown[]) => hook.callAsync(...args),
  });
}
