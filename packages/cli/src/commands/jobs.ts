/** `nanogrid status|logs|cancel ID`: asks a controller after a job, and takes one back. Owns no state. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.js';
import type { ConnectionOptions } from '../client/connection.js';
import { addConnectionOptions, openApi } from '../client/with-api.js';
import { CLIENT_EXIT_CODES_HELP, EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { id } from '../parse-options.js';
import { deliverResult } from '../ui/deliver-result.js';
import { summarise } from '../ui/result-record.js';
import type { Ui } from '../ui/ui.js';
import { teach } from './shared.js';

interface JobOptions extends ConnectionOptions {
  readonly wait?: true;
}

type Status = Record<string, unknown>;

/** Between two questions after a job that is waited for, in milliseconds. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

export function addJobs(parent: Command, execute: Execute): void {
  addStatus(parent, execute);
  addLogs(parent, execute);
  addCancel(parent, execute);
}

function addStatus(parent: Command, execute: Execute): void {
  const command = parent
    .command('status')
    .argument('<id>', 'id of the job', id)
    .summary('ask a controller what became of a job')
    .description('Prints the result of a job as invoke does, or says that it is pending or running.')
    .option('--wait', 'wait until it has ended');
  addConnectionOptions(command).action((jobId: string, options: JobOptions) =>
    execute((invocation) => showStatus(invocation, jobId, options)),
  );
  teach(
    command,
    'nanogrid status ID\nnanogrid status ID --wait --json | jq .execution_time_ms',
    CLIENT_EXIT_CODES_HELP,
  );
}

function addLogs(parent: Command, execute: Execute): void {
  const command = parent
    .command('logs')
    .argument('<id>', 'id of the job', id)
    .summary('print what a job wrote')
    .description('Prints what a job that has ended wrote to its standard output, then to its standard error.')
    .option('--wait', 'wait until it has ended');
  addConnectionOptions(command).action((jobId: string, options: JobOptions) =>
    execute((invocation) => showLogs(invocation, jobId, options)),
  );
  teach(command, 'nanogrid logs ID\nnanogrid logs ID --wait | grep ERROR', CLIENT_EXIT_CODES_HELP);
}

function addCancel(parent: Command, execute: Execute): void {
  const command = parent
    .command('cancel')
    .argument('<id>', 'id of the job', id)
    .summary('take a job back')
    .description(
      `Has a job ended that waits or runs; its result then says NG_CANCELLED. A job that has ended already is left as it is,
which is told, with exit code 1.`,
    );
  addConnectionOptions(command).action((jobId: string, options: ConnectionOptions) =>
    execute((invocation) => cancel(invocation, jobId, options)),
  );
  teach(command, 'nanogrid cancel ID\nnanogrid cancel ID --json', CLIENT_EXIT_CODES_HELP);
}

async function showStatus(invocation: Invocation, jobId: string, options: JobOptions): Promise<number> {
  const { ui } = invocation;
  const status = await askStatus(invocation, jobId, options);
  if (!hasEnded(status)) return notYet(ui, jobId, status);
  return deliverResult(ui, status, { logs: true });
}

async function showLogs(invocation: Invocation, jobId: string, options: JobOptions): Promise<number> {
  const { ui } = invocation;
  const status = await askStatus(invocation, jobId, options);
  if (!hasEnded(status)) return notYet(ui, jobId, status);
  const { logs } = summarise(status);
  ui.result({ job_id: jobId, status: status.status, logs }, logs.replace(/\n$/, ''));
  return EXIT.ok;
}

async function cancel(invocation: Invocation, jobId: string, options: ConnectionOptions): Promise<number> {
  const { ui } = invocation;
  const api = await openApi(invocation, options);
  const { status, body } = await api.call('POST', `/jobs/${jobId}/cancel`, { accept: [409] });
  if (status === 409) {
    const { status: state } = (body.error ?? {}) as { status?: string };
    ui.note(`The job ${jobId} has already ended: it is ${state}.`);
    if (ui.json) ui.printJson({ job_id: jobId, status: state, cancelled: false });
    return EXIT.failed;
  }
  ui.note(`The job ${jobId} will be ended.`);
  if (ui.json) ui.printJson({ ...body, cancelled: true });
  return EXIT.ok;
}

async function askStatus(invocation: Invocation, jobId: string, options: JobOptions): Promise<Status> {
  const { signal } = invocation.io.interruption;
  const api: ApiClient = await openApi(invocation, options);
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, MAX_PAUSE_MS)) {
    const { body } = await api.call('GET', `/status/${jobId}`);
    if (hasEnded(body) || options.wait === undefined) return body;
    await sleep(pauseMs, undefined, { signal });
  }
}

function hasEnded({ status }: Status): boolean {
  return status === 'completed' || status === 'failed';
}

function notYet(ui: Ui, jobId: string, status: Status): number {
  ui.note(`The job ${jobId} is ${status.status}.`);
  if (ui.json) ui.printJson(status);
  return EXIT.pending;
}
