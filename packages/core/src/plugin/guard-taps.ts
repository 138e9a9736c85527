/** Makes the five hooks so that every tap has the failure semantics the architecture gives its hook. Owns no state. */

import { isPlainObject } from '../config/plain-object.js';
import { showValue } from '../config/show-value.js';
import { createHooks, type Hooks } from '../hooks.js';
import type { JobResult } from '../result.js';
import { createExecSpecCheck } from './check-exec-spec.js';
import { createSinkGuard, type SinkOptions } from './guard-sinks.js';
import { pluginOf } from './label-hooks.js';
import { messageOf, pluginError } from './plugin-error.js';
import { beginTap, type RegisteredTap } from './tap.js';

export type GuardOptions = SinkOptions;

type TapFn = (...args: unknown[]) => Promise<unknown>;
type Guard = (tap: RegisteredTap) => TapFn;

const STATUSES: readonly unknown[] = ['SUCCESS', 'FAILED', 'ERROR'];

/**
 * Makes the hooks of one worker. A tap that fails:
 * - in `beforeFetch`, `afterExtract` and `beforeExec` rejects the hook, with plugin and hook named; a `NanoGridError` keeps its code;
 * - in `afterExec` is recorded in the result's `pluginErrors`, and the next tap gets the result from before it;
 * - in `onResult` is logged and counted, and tried again where it is `required`; the hook rejects only where that was given up.
 */
export function createGuardedHooks(options: GuardOptions): Hooks {
  const hooks = createHooks();
  const checkSpec = createExecSpecCheck();
  const failing = (hook: string, check?: (value: unknown, args: readonly unknown[]) => string | undefined): Guard => {
    return (tap) =>
      async (...args) => {
        const plugin = pluginOf(tap);
        try {
          const told = beginTap(tap, args);
          const value = told instanceof Promise ? await told : told;
          const fault = check?.(value, args);
          if (fault !== undefined) throw new Error(fault);
          return value;
        } catch (error) {
          options.onTapFailure?.({ plugin, hook, error });
          throw pluginError(plugin, hook, error);
        }
      };
  };
  intercept(hooks.beforeFetch, failing('beforeFetch', answerFault));
  intercept(hooks.afterExtract, failing('afterExtract'));
  intercept(
    hooks.beforeExec,
    failing('beforeExec', (value, args) => {
      // A tap that returns nothing may still have changed the spec in place.
      const fault = checkSpec(value === undefined ? args[0] : value);
      return fault === undefined ? undefined : `it returned an invalid execution spec: ${fault}`;
    }),
  );
  intercept(hooks.afterExec, recording(options));
  intercept(hooks.onResult, createSinkGuard(options));
  return hooks;
}

/** Replaces each tap's function when it registers. All become promise taps, whatever they were. */
function intercept(hook: unknown, guard: Guard): void {
  const interceptable = hook as { intercept(interceptor: { register(tap: RegisteredTap): RegisteredTap }): void };
  interceptable.intercept({ register: (tap) => ({ ...tap, type: 'promise', fn: guard(tap) }) });
}

function answerFault(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (isPlainObject(value) && STATUSES.includes(value.status)) return undefined;
  return `it returned ${showValue(value)}, which is neither undefined nor an answer with a status`;
}

function recording(options: GuardOptions): Guard {
  const hook = 'afterExec';
  return (tap) =>
    async (...args) => {
      const before = args[0] as JobResult;
      // A tap that changes its result in place and then throws must leave no trace: it gets a copy.
      const copy = copyResult(before);
      try {
        const told = beginTap(tap, [copy, ...args.slice(1)]);
        const value = (told instanceof Promise ? await told : told) ?? copy;
        const fault = resultFault(value, before);
        if (fault !== undefined) throw new Error(fault);
        return keepErrors(value as JobResult, before);
      } catch (error) {
        const plugin = pluginOf(tap);
        options.onTapFailure?.({ plugin, hook, error });
        options.log.warn({ plugin, hook, err: error, jobId: before.requestId }, 'a plugin failed after a job');
        const recorded = { plugin, hook, message: messageOf(error) };
        return { ...before, pluginErrors: [...(before.pluginErrors ?? []), recorded] };
      }
    };
}

/** Copies the result and what it holds one level down; `result`, the user's own value, may be large and is shared. */
function copyResult(result: JobResult): JobResult {
  const copy: Record<string, unknown> = { ...result };
  // Not `Object.entries`: this is done for each tap of each job, and would make a list of lists.
  for (const key in copy) {
    const value = copy[key];
    if (typeof value !== 'object' || key === 'result') continue;
    if (Array.isArray(value)) copy[key] = [...value];
    else if (isPlainObject(value)) copy[key] = { ...value };
  }
  return copy as unknown as JobResult;
}

function resultFault(value: unknown, before: JobResult): string | undefined {
  if (!isPlainObject(value)) return `it returned ${showValue(value)} instead of a result`;
  if (value.requestId !== before.requestId) return 'it returned the result of another job';
  if (!STATUSES.includes(value.status)) return `it returned a result with the status ${showValue(value.status)}`;
  return undefined;
}

/** A tap that builds a result of its own cannot lose what was recorded of the taps before it. */
function keepErrors(value: JobResult, before: JobResult): JobResult {
  const { pluginErrors } = before;
  return pluginErrors === undefined || value.pluginErrors !== undefined ? value : { ...value, pluginErrors };
}
