/** `nanogrid result ID`: looks up what became of a job, wherever the configured worker publishes results. Owns no state. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { copyOutputs } from '../copy-outputs.js';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { openService } from '../open-service.js';
import { id } from '../parse-options.js';
import { deliverResult } from '../ui/deliver-result.js';
import { waitForResult } from '../wait-for-result.js';
import { teach } from './shared.js';

interface ResultOptions {
  readonly wait?: true;
  readonly output?: string;
}

const EXIT_CODES = `Exit codes:
  0  the job completed
  1  the job failed
  2  wrong usage or configuration
  3  the store cannot be read
  4  nothing is known of the job, or no longer is
  5  the job is pending or running`;

export function addResult(parent: Command, execute: Execute): void {
  const command = parent
    .command('result')
    .argument('<id>', 'id of the job', id)
    .summary('look up the result of a job')
    .description(
      `Prints the result of a job, as "run" does, from where the configured worker publishes results: the embedded store of
this machine, or for instance Redis. Results are kept for an hour unless the configuration says otherwise.`,
    )
    .option('--wait', 'wait until there is a result')
    .option('--output <dir>', 'copy the output files to this folder, those of the embedded store')
    .action((jobId: string, options: ResultOptions) => execute((invocation) => showResult(invocation, jobId, options)));
  teach(
    command,
    `
nanogrid result job-1
nanogrid result job-1 --wait --json
nanogrid result job-1 --output files`,
    EXIT_CODES,
  );
}

async function showResult(invocation: Invocation, jobId: string, options: ResultOptions): Promise<number> {
  const { io, ui } = invocation;
  const { service: results, close } = await openService(await loadProject(invocation), 'resultStore', io);
  try {
    let known = await results.get(jobId);
    if (options.wait && (known === undefined || !('result' in known))) {
      await waitForResult(results, jobId, ui, io.interruption.signal);
      known = await results.get(jobId);
    }
    if (known === undefined) {
      ui.note(`Nothing is known of the job ${jobId}.`);
      if (ui.json) ui.printJson({ jobId, state: 'unknown' });
      return EXIT.unknown;
    }
    if (!('result' in known)) {
      ui.note(`The job ${jobId} is ${known.state}.`);
      if (ui.json) ui.printJson({ jobId, state: known.state });
      return EXIT.pending;
    }
    const { output } = options;
    const record = output === undefined ? known.result : await copyOutputs(known.result, resolve(io.cwd, output));
    deliverResult(ui, record, { logs: true });
    return known.state === 'completed' ? EXIT.ok : EXIT.failed;
  } finally {
    await close();
  }
}
