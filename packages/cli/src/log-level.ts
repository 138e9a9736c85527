/** The levels of the worker's log. Owns no state. */

import { NanoGridError } from '@nanogrid/core';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The level of `LOG_LEVEL`; `info` where it is not set. Throws `NG_USAGE` for none: a typo must not silence the log. */
export function levelOf(text: string | undefined): LogLevel {
  if (text === undefined || text === '') return 'info';
  const level = LOG_LEVELS.find((known) => known === text.toLowerCase());
  if (level !== undefined) return level;
  throw new NanoGridError('NG_USAGE', `LOG_LEVEL is ${JSON.stringify(text)}, which is no log level.`, {
    hint: `Use one of ${LOG_LEVELS.join(', ')}.`,
  });
}
