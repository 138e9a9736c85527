/** `nanogrid start`: the words of the command. Owns no state. */

import { type Command, Option } from 'commander';
import type { Execute } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { LOG_LEVELS, type LogLevel } from '../log-level.js';
import type { Role } from '../start-roles.js';
import { teach } from './shared.js';

const ROLES: readonly Role[] = ['worker', 'controller', 'all'];

export function addStart(parent: Command, execute: Execute): void {
  const command = parent
    .command('start')
    .summary('start a worker, a controller, or both')
    .description(
      `Starts what runs functions (worker), the HTTP API that takes them in (controller), or both in one process (all). The
worker builds the images that are missing, starts the containers that wait, then takes jobs; it serves /health and
/status on "http.port" of the configuration (8080). The controller needs no Docker; it serves the API on
"controller.port" (3000), on another address than loopback only with "controller.apiKeys" (see nanogrid keys create).
SIGTERM and SIGINT let running jobs end first, within "worker.drainTimeoutMs", hand the rest back to the queue, end the
waits of clients with the id to ask for, and end with 0; a second one hands back at once what runs and ends the process
(143, 130). With --json, one line on standard output says that all is ready, with the addresses; under systemd,
Type=notify (with NotifyAccess=all) and WatchdogSec= work.`,
    )
    .addOption(new Option('--role <role>', 'what to start').choices(ROLES).default('worker'))
    .addOption(new Option('--log-level <level>', 'what is logged; default: LOG_LEVEL, else info').choices(LOG_LEVELS))
    .action((options: { role: Role; logLevel?: LogLevel }) =>
      execute(async (invocation) => {
        const loaded = await loadProject(invocation);
        // The HTTP servers and the logger would cost every other command the time to load them.
        const { startRoles } = await import('../start-roles.js');
        return await startRoles(invocation, loaded, options);
      }),
    );
  teach(
    command,
    `
nanogrid start
nanogrid start --role controller --env production
nanogrid start --role all --json | jq -r .api
LOG_LEVEL=debug nanogrid start --config deploy/nanogrid.config.ts
curl localhost:8080/health      # the worker
curl localhost:3000/health      # the controller`,
  );
}
