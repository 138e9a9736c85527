/** Options and help texts that several commands have in common. Owns no state. */

import type { Command } from 'commander';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { handlerName, wholeNumber } from '../parse-options.js';

/** Options of a job, for `run` and `submit`. */
export interface JobOptions {
  readonly runtime?: string;
  readonly handler?: string;
  readonly input?: string;
  readonly timeout?: number;
  readonly memory?: number;
  readonly output?: string;
}

export function addJobOptions(command: Command): Command {
  return command
    .option('--runtime <name>', 'runtime to use; default: told by the names of the files')
    .option('--handler <file.function>', 'call this function instead of running the entry point', handlerName)
    .option('--input <json>', 'the input: JSON, @FILE, or - for standard input')
    .option('--timeout <ms>', 'time limit in milliseconds', wholeNumber(1))
    .option('--memory <mb>', 'memory limit in MiB', wholeNumber(1))
    .option('--output <dir>', 'folder for the files that the function leaves in /output');
}

const ENVIRONMENT_HELP = `Environment variables:
  NANOGRID_ENV    environment overlay of the configuration, as --env
  NANOGRID_DEBUG  1 shows stacks, as --verbose
  DOCKER_HOST     address of the Docker engine
  NO_COLOR        no colours`;

/** Appends examples, exit codes and environment variables to a command's help. */
export function teach(command: Command, examples: string, exitCodes: string = EXIT_CODES_HELP): Command {
  const indented = examples
    .trim()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
  // Descriptions are written over several lines; help is wrapped to the terminal's width.
  command.description(command.description().replace(/\s+/g, ' '));
  return command.addHelpText('after', `\nExamples:\n${indented}\n\n${exitCodes}\n\n${ENVIRONMENT_HELP}`);
}
