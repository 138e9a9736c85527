/** Shows images that are pulled or built: a spinner on a terminal, a line now and then anywhere else. Owns what was said last. */

import type { ImageProgress } from '@nanogrid/core';
import type { Io } from '../io.js';
import { formatBytes } from './format.js';
import { canSpin, Spinner } from './spinner.js';

/** Least time between two plain lines about the same step, in milliseconds. */
const LINE_GAP_MS = 5_000;

export interface ProgressDisplayOptions {
  /** Takes the plain lines. Default: standard error. */
  readonly line?: (text: string, progress: ImageProgress) => void;
  /** Milliseconds that never go back. Default: the process's clock. */
  readonly now?: () => number;
}

export class ProgressDisplay {
  readonly #io: Pick<Io, 'stderr'>;
  readonly #writeLine: NonNullable<ProgressDisplayOptions['line']>;
  readonly #now: () => number;
  readonly #spinner: Spinner;
  #lastStep = '';
  #lastLineAt = 0;

  constructor(io: Pick<Io, 'stderr'>, options: ProgressDisplayOptions = {}) {
    this.#io = io;
    this.#spinner = new Spinner(io);
    this.#writeLine = options.line ?? ((text) => io.stderr.write(`${text}\n`));
    this.#now = options.now ?? (() => performance.now());
  }

  /** May be passed as a callback. */
  readonly update = (progress: ImageProgress): void => {
    const text = describe(progress);
    if (canSpin(this.#io.stderr)) this.#spinner.show(text);
    else this.#line(stepOf(progress), text, progress);
  };

  /** Takes the spinner away; a later `update` brings it back. */
  readonly stop = (): void => this.#spinner.stop();

  #line(step: string, text: string, progress: ImageProgress): void {
    const now = this.#now();
    if (step === this.#lastStep && now - this.#lastLineAt < LINE_GAP_MS) return;
    this.#lastStep = step;
    this.#lastLineAt = now;
    this.#writeLine(text, progress);
  }
}

/** The same for all that belongs to one step of one image. */
function stepOf({ image, step, current, total }: ImageProgress): string {
  return step === 'build' ? `${image} ${step} ${current}/${total}` : `${image} ${step}`;
}

function describe({ image, step, message, current, total }: ImageProgress): string {
  if (step === 'package') return `Preparing ${image}: ${message}`;
  if (step === 'base') return `Making ${image}: ${message}`;
  if (step === 'build') return `Building ${image}${total ? ` (step ${current}/${total})` : ''}: ${message}`;
  const amount = total ? ` (${formatBytes(current ?? 0)} of ${formatBytes(total)})` : '';
  return `Pulling ${image}${amount}: ${message}`;
}
