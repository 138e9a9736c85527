/** `nanogrid dev`: a whole NanoGrid on this machine, for trying and developing. Owns no state. */

import { type Command, Option } from 'commander';
import { embedServices } from '../embed-services.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { LOG_LEVELS, type LogLevel } from '../log-level.js';
import { wholeNumber } from '../parse-options.js';
import { teach } from './shared.js';

interface DevOptions {
  readonly port?: number;
  readonly logLevel?: LogLevel;
}

const LOOPBACK = '127.0.0.1';

export function addDev(parent: Command, execute: Execute): void {
  const command = parent
    .command('dev')
    .summary('a controller and a worker on this machine, with nothing set up')
    .description(
      `Starts a controller and a worker in one process, with everything they need but Docker: the embedded queue, stores,
registry and results take the place of those that the configuration may name, and all of it listens on loopback
only. Prints the address and what to try. Ctrl-C lets running jobs end and takes the containers away; functions and
results stay in the data folder (.nanogrid) for the next time.`,
    )
    .option('--port <n>', 'port of the HTTP API, 0 for a free one; default: controller.port, else 3000', wholeNumber(0))
    .addOption(new Option('--log-level <level>', 'what is logged; default: LOG_LEVEL, else info').choices(LOG_LEVELS))
    .action((options: DevOptions) => execute((invocation) => develop(invocation, options)));
  teach(
    command,
    `
nanogrid dev
nanogrid dev --port 0 --json | jq -r .api
nanogrid deploy examples/functions/hello      # from a second terminal
nanogrid invoke hello --input '{"name": "Ada"}'`,
  );
}

async function develop(invocation: Invocation, { port, logLevel }: DevOptions): Promise<number> {
  const loaded = embedServices(
    await loadProject(invocation, {
      // Whoever tries callbacks has the receiver here, too. What the configuration says comes first.
      defaults: { controller: { callbacks: { allow: ['127.0.0.0/8', '::1'] } } },
      overrides: { controller: { host: LOOPBACK, ...(port === undefined ? {} : { port }) }, http: { host: LOOPBACK } },
    }),
  );
  const { startRoles } = await import('../start-roles.js');
  const keys = loaded.config.controller.apiKeys.length > 0;
  return await startRoles(invocation, loaded, {
    role: 'all',
    logLevel,
    onReady: (api = '') => invocation.ui.note(tryIt(api, keys, invocation)),
  });
}

/** Lines to paste into a second terminal. */
function tryIt(api: string, keys: boolean, { ui: { style } }: Invocation): string {
  const curl = keys ? 'curl -s -H "Authorization: Bearer $NANOGRID_API_KEY"' : 'curl -s';
  return `
${style.bold('NanoGrid is ready:')} ${api}   (the API described: ${api}/docs)

${style.bold('Try it from a second terminal:')}
  echo 'import json, sys; print(json.dumps({"hello": json.load(sys.stdin)["name"]}))' > main.py
  ${curl} -F file=@main.py -F function_name=hello -F runtime=python ${api}/upload
  ${curl} ${api}/functions
  ${curl} -H 'Content-Type: application/json' -d '{"function_id": "ID", "payload": {"name": "Ada"}}' ${api}/run

Ctrl-C ends it.
`;
}
