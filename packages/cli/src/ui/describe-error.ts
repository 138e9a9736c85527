/** Turns any error into a code, one sentence and what to do about it; as text for a person or as a JSON document. Owns no state. */

import { NanoGridError } from '@nanogrid/core';
import type { Style } from './style.js';

/** The error as `--json` prints it, under `error`. */
export interface ErrorDocument {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** The error with a code: its own, `NG_DISK_FAILED` for one of the operating system, else `NG_INTERNAL`. */
export function codedError(error: unknown): NanoGridError {
  if (error instanceof NanoGridError) return error;
  if (error instanceof Error && 'syscall' in error && 'path' in error) {
    return new NanoGridError('NG_DISK_FAILED', `The disk could not be used: ${error.message}`, {
      cause: error,
      hint: 'Check that the path exists, that this user may use it, and that the disk is not full.',
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new NanoGridError('NG_INTERNAL', message === '' ? 'An error without a message.' : message, {
    cause: error,
    hint: 'This is a fault of NanoGrid: run again with --verbose and report what it shows.',
  });
}

export function errorDocument(error: NanoGridError): ErrorDocument {
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

/** Lines for a person; with `verbose` the stack and those of its causes follow. */
export function errorText(error: NanoGridError, style: Style, verbose: boolean): string {
  const lines = [`${style.bold(style.red('Error:'))} ${error.message}`];
  if (error.hint !== undefined) lines.push(`${style.bold('Hint:')} ${error.hint}`);
  lines.push(style.dim(`Code: ${error.code}`));
  if (verbose) lines.push(style.dim(stackOf(error)));
  return lines.join('\n');
}

/** Causes deeper than this are left out; a cause may lead back to its own effect. */
const MAX_CAUSES = 5;

function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let current = error; current instanceof Error && stacks.length < MAX_CAUSES; current = current.cause) {
    stacks.push(`${stacks.length === 0 ? '' : 'Caused by: '}${current.stack ?? current.message}`);
  }
  return stacks.join('\n');
}
