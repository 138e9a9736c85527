/** The command line's grammar: all commands and the options they share. Owns one parse. */

import { Command, CommanderError } from 'commander';
import { addConfig } from './commands/config.js';
import { addCreate } from './commands/create.js';
import { addDeploy } from './commands/deploy.js';
import { addDev } from './commands/dev.js';
import { addDoctor } from './commands/doctor.js';
import { addFunctions } from './commands/functions.js';
import { addImages } from './commands/images.js';
import { addInvoke } from './commands/invoke.js';
import { addJobs } from './commands/jobs.js';
import { addKeys } from './commands/keys.js';
import { addProfile } from './commands/profile.js';
import { addQueue } from './commands/queue.js';
import { addResult } from './commands/result.js';
import { addRun } from './commands/run.js';
import { teach } from './commands/shared.js';
import { addStart } from './commands/start.js';
import { addSubmit } from './commands/submit.js';
import { addTop } from './commands/top.js';
import { addTune } from './commands/tune.js';
import type { Execute, GlobalOptions } from './invocation.js';

export interface ProgramOptions {
  readonly version: string;
  /** Takes help and version texts. */
  writeOut(text: string): void;
  /** Takes the help that is shown because a command is missing. */
  writeErr(text: string): void;
  /** Called with the work of the command that was asked for. */
  execute(globals: GlobalOptions, work: Parameters<Execute>[0]): Promise<void>;
}

/** The program; its `parseAsync` throws `CommanderError` for wrong usage, and after help was shown. */
export function createProgram({ version, writeOut, writeErr, execute }: ProgramOptions): Command {
  const program = new Command('nanogrid')
    .description('Self-hosted serverless worker: runs functions in warm containers, a fresh isolated process per job.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .option('--config <file>', 'configuration file; default: the nearest nanogrid.config.* or package.json')
    .option('--env <name>', 'environment of the configuration; default: NANOGRID_ENV')
    .option('--json', 'one JSON document on standard output, also for errors')
    .option('--verbose', 'show stacks of errors and what happens in detail')
    .configureHelp({ showGlobalOptions: true })
    // Errors are told by whoever catches them, in one form for all.
    .configureOutput({ writeOut, writeErr, outputError: () => {} })
    .showSuggestionAfterError(true)
    .exitOverride();
  const run: Execute = (work) => execute(program.opts<GlobalOptions>(), work);
  addRun(program, run);
  addTune(program, run);
  addDev(program, run);
  addStart(program, run);
  addSubmit(program, run);
  addResult(program, run);
  addDeploy(program, run);
  addInvoke(program, run);
  addJobs(program, run);
  addFunctions(program, run);
  addProfile(program, run);
  addKeys(program, run);
  addQueue(program, run);
  addTop(program, run);
  addImages(program, run);
  addDoctor(program, run);
  addConfig(program, run);
  addCreate(program, run);
  return teach(
    program,
    `
nanogrid run hello.py --input '{"name": "Ada"}'
nanogrid tune hello.py --memory 64,128,256
nanogrid dev
nanogrid deploy examples/functions/hello
nanogrid invoke hello --input '{"name": "Ada"}'
nanogrid start --role all --env production
nanogrid doctor
nanogrid help run`,
  );
}

export { CommanderError };
