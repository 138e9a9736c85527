/** `nanogrid start`: the words of the command. Owns no state. */

import { type Command, Option } from 'commander';
import type { Execute } from '../invocation.js';
import { LOG_LEVELS, type LogLevel } from '../log-level.js';
import { teach } from './shared.js';

export function addStart(parent: Command, execute: Execute): void {
  const command = parent
    .command('start')
    .summary('start the worker')
    .description(
      `Starts the worker: builds the images that are missing, starts the containers that wait, then takes jobs until it
is told to stop. Serves /health and /status on "http.port" of the configuration (8080). SIGTERM and SIGINT let
running jobs end first, within "worker.drainTimeoutMs", hand the rest back to the queue, and end with 0; a second one hands
back at once what runs and ends the process (143, 130). With --json, one line on standard output says when jobs are taken;
under systemd, Type=notify (with NotifyAccess=all) and WatchdogSec= work.`,
    )
    .addOption(new Option('--log-level <level>', 'what is logged; default: LOG_LEVEL, else info').choices(LOG_LEVELS))
    .action((options: { logLevel?: LogLevel }) =>
      execute(async (invocation) => {
        // The HTTP server and the logger would cost every other command the time to load them.
        const { startWorker } = await import('../start-worker.js');
        return await startWorker(invocation, options);
      }),
    );
  teach(
    command,
    `
nanogrid start
nanogrid start --env production --config deploy/nanogrid.config.ts
LOG_LEVEL=debug nanogrid start
nanogrid start --json | jq -r .http
curl localhost:8080/health`,
  );
}
