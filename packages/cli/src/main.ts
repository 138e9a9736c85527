/** Runs one command line from its words to an exit code. Owns nothing beyond the call. */

import { createRequire } from 'node:module';
import { NanoGridError } from '@nanogrid/core';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { Interrupted } from './interruption.js';
import type { Invocation } from './invocation.js';
import type { Io } from './io.js';
import { CommanderError, createProgram } from './program.js';
import { codedError } from './ui/describe-error.js';
import { Ui } from './ui/ui.js';

/** `argv`: the words after the program's name. Never throws and never exits: returns the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok;
  // Wrong usage may keep the options from being read, and has to be told in the form that was asked for.
  let ui = new Ui(io, { json: argv.includes('--json'), verbose: isVerbose(argv.includes('--verbose'), io) });
  const program = createProgram({
    version: version(),
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text),
    execute: async (globals, work) => {
      ui = new Ui(io, { json: globals.json === true, verbose: isVerbose(globals.verbose === true, io) });
      const invocation: Invocation = { io, ui, globals };
      exitCode = await work(invocation);
    },
  });
  const { signal } = io.interruption;
  try {
    await program.parseAsync([...argv], { from: 'user' });
    // What crashed beside a command that ended well must not pass for a success.
    if (signal.aborted && !(signal.reason instanceof Interrupted)) throw signal.reason;
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return tellUsage(error, ui);
    // Whatever broke because the process was asked to end is told as that.
    const reason = signal.aborted ? signal.reason : error;
    if (reason instanceof Interrupted) {
      if (ui.json) ui.printJson({ error: { code: 'NG_CANCELLED', message: reason.message } });
      ui.note(reason.message);
      return reason.exitCode;
    }
    const coded = codedError(reason);
    ui.error(coded);
    return exitCodeOf(coded.code);
  }
}

function isVerbose(given: boolean, { env }: Io): boolean {
  return given || env.NANOGRID_DEBUG === '1';
}

function tellUsage(error: CommanderError, ui: Ui): number {
  if (error.exitCode === 0) return EXIT.ok;
  // Shown instead of a command that is missing; the help has been written.
  if (error.code === 'commander.help') {
    if (ui.json) ui.printJson({ error: { code: 'NG_USAGE', message: 'A command is missing.' } });
    return EXIT.usage;
  }
  ui.error(usageError(error));
  return EXIT.usage;
}

/** Commander's `error: unknown option '--x'\n(Did you mean --y?)` as one sentence. */
function usageError({ message }: CommanderError): NanoGridError {
  const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
  const meant = /Did you mean (.*)\?/.exec(rest.join(' '))?.[1];
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/[.]$/, '')}`;
  return new NanoGridError('NG_USAGE', meant === undefined ? `${sentence}.` : `${sentence}; did you mean ${meant}?`, {
    hint: 'See nanogrid --help, or --help after a command.',
  });
}

function version(): string {
  return (createRequire(import.meta.url)('../package.json') as { version: string }).version;
}
