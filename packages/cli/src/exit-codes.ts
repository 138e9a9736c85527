/** The exit codes, and which error or result means which. Owns no state. */

import { ERROR_CODES, type ErrorCode } from '@nanogrid/core';

export const EXIT = {
  ok: 0,
  /** The function failed, or a check found problems. */
  failed: 1,
  usage: 2,
  platform: 3,
  /** Nothing is known of the job or function. */
  unknown: 4,
  /** The job is not done yet. */
  pending: 5,
  /** As `timeout(1)` has it. */
  timeout: 124,
  sigint: 130,
  sigterm: 143,
} as const;

/** For the help texts. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    the function failed, or a check found problems
  2    wrong usage or configuration
  3    the platform failed: Docker, an image, the disk
  124  the function reached its time limit
  130  interrupted (143: terminated)`;

/** The same for the commands that ask a controller. */
export const CLIENT_EXIT_CODES_HELP = `Exit codes:
  0    done
  1    the function failed
  2    wrong usage, or refused by the controller (API key, scope, bad input)
  3    the controller cannot be reached, or the platform failed
  4    there is no such function or job
  5    the job is pending or running
  124  the function reached its time limit
  130  interrupted (143: terminated)`;

const USAGE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NG_USAGE',
  'NG_CONFIG_INVALID',
  'NG_CONFIG_NOT_FOUND',
  'NG_PLUGIN_INVALID',
  'NG_RUNTIME_INVALID',
  'NG_RUNTIME_UNKNOWN',
  'NG_MESSAGE_INVALID',
  'NG_BUCKET_NOT_ALLOWED',
  'NG_CODE_NOT_FOUND',
  'NG_PORT_IN_USE',
  'NG_SERVER_REFUSED',
]);

/** The exit code for an error, or for the error code of a result; a code that is not known counts as the platform's. */
export function exitCodeOf(code: string | undefined): number {
  if (code === undefined || !Object.hasOwn(ERROR_CODES, code)) return EXIT.platform;
  const known = code as ErrorCode;
  if (USAGE_CODES.has(known)) return EXIT.usage;
  if (known === 'NG_TIMEOUT') return EXIT.timeout;
  if (known === 'NG_NOT_FOUND') return EXIT.unknown;
  return ERROR_CODES[known].side === 'user' ? EXIT.failed : EXIT.platform;
}
