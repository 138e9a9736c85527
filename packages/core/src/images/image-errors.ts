/** Says in one sentence why an image could not be had, and what to do. Owns no state. */

import { NanoGridError } from '../errors.js';
import { isBookkeeping, oneLine } from './image-progress.js';

const MAX_LINES = 12;

/** Whether the engine itself could not be reached, as opposed to refusing what it was asked. */
export function isEngineUnreachable(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.syscall === 'connect';
}

/** `NG_IMAGE_FAILED`, or `NG_DOCKER_UNAVAILABLE` where the engine could not be reached. The cause is kept. */
export function imageFailure(what: string, cause: unknown, hint: string): NanoGridError {
  if (cause instanceof NanoGridError) return cause;
  if (isEngineUnreachable(cause)) {
    return new NanoGridError('NG_DOCKER_UNAVAILABLE', `${what}: the Docker engine does not answer.`, {
      cause,
      hint: 'Start the Docker engine, or set DOCKER_HOST to one that runs.',
    });
  }
  return new NanoGridError('NG_IMAGE_FAILED', `${what}: ${reasonOf(cause)}`, { cause, hint });
}

/** Keeps the last lines of a build for its error message. */
export class LastLines {
  readonly #lines: string[] = [];

  add(text: string): void {
    for (const raw of text.split(/[\r\n]+/)) {
      const line = oneLine(raw);
      if (line !== '' && !isBookkeeping(line)) this.#lines.push(line);
    }
    this.#lines.splice(0, Math.max(0, this.#lines.length - MAX_LINES));
  }

  /** At most twelve lines of at most 160 characters, indented; empty where nothing was said. */
  toString(): string {
    return this.#lines.length === 0 ? '' : `\n${this.#lines.map((line) => `  ${line}`).join('\n')}`;
  }
}

/** A failure's reason as one sentence, without dockerode's decoration. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = oneLine(message.replace(/^\(HTTP code \d+\) (?:[a-z ]+ - )?/, ''));
  return /[.!?…]$/.test(reason) ? reason : `${reason}.`;
}
