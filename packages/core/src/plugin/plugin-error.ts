/** Labels what a plugin throws with the plugin's name and where it happened. Owns no state. */

import { ERROR_CODES, type ErrorCode, NanoGridError } from '../errors.js';

/** The message of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The error that the platform sees: a `NanoGridError` keeps its code and hint, so that a plugin can refuse a job in the
 * user's own words; anything else is `NG_PLUGIN_FAILED`. `where` is a hook or a part of the plugin's life.
 */
export function pluginError(plugin: string, where: string, cause: unknown): NanoGridError {
  if (isNanoGridError(cause)) {
    const hint = cause.hint === undefined ? {} : { hint: cause.hint };
    return new NanoGridError(cause.code, `Plugin ${plugin} (${where}): ${cause.message}`, { cause, ...hint });
  }
  return new NanoGridError('NG_PLUGIN_FAILED', `Plugin ${plugin} failed in ${where}: ${messageOf(cause)}`, { cause });
}

/** By shape: a plugin may have been installed with another copy of this package, whose class is not ours. */
function isNanoGridError(error: unknown): error is { code: ErrorCode; message: string; hint: string | undefined } {
  if (error instanceof NanoGridError) return true;
  if (!(error instanceof Error) || error.name !== 'NanoGridError') return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}
