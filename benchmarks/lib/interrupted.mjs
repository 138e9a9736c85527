/** Ctrl-C and its like, for a script that cleans up: the first one asks it to stop, the second one ends it. */

import { constants } from 'node:os';

/** The signal that aborts when the script is to stop; the exit code is set by then. */
export function interrupted() {
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (stopped.signal.aborted) process.exit(128 + constants.signals[signal]);
      stopped.abort(new Error(`interrupted by ${signal}`));
      process.exitCode = 128 + constants.signals[signal];
    });
  }
  return stopped.signal;
}
