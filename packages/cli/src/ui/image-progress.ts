/** Shows images that are pulled or built: a spinner on a terminal, a line now and then anywhere else. Owns the spinner. */

import type { ImageProgress } from '@nanogrid/core';
import type { Ora } from 'ora';
import type { Io } from '../io.js';
import { formatBytes } from './format.js';

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
  #spinner: Ora | undefined;
  /** What the spinner says, or will say once it is loaded; undefined while there is none. */
  #text: string | undefined;
  #lastStep = '';
  #lastLineAt = 0;

  constructor(io: Pick<Io, 'stderr'>, options: ProgressDisplayOptions = {}) {
    this.#io = io;
    this.#writeLine = options.line ?? ((text) => io.stderr.write(`${text}\n`));
    this.#now = options.now ?? (() => performance.now());
  }

  /** May be passed as a callback. */
  readonly update = (progress: ImageProgress): void => {
    const text = describe(progress);
    const { isTTY, columns = 0 } = this.#io.stderr;
    // A terminal that tells no width (0) would make the spinner clear lines for ever.
    if (isTTY === true && columns > 0) this.#spin(text);
    else this.#line(stepOf(progress), text, progress);
  };

  /** Takes the spinner away; a later `update` brings it back. */
  readonly stop = (): void => {
    this.#text = undefined;
    this.#spinner?.stop();
    this.#spinner = undefined;
  };

  #spin(text: string): void {
    const loading = this.#text !== undefined;
    this.#text = text;
    if (this.#spinner) this.#spinner.text = text;
    else if (!loading) this.#startSpinner().catch(() => {});
  }

  /** Loaded when something is there to show: most commands never do. */
  async #startSpinner(): Promise<void> {
    const { default: ora } = await import('ora');
    if (this.#text === undefined || this.#spinner !== undefined) return;
    const stream = this.#io.stderr as NodeJS.WriteStream;
    // `discardStdin` would take Ctrl-C and the function's input away from the process.
    this.#spinner = ora({ text: this.#text, stream, discardStdin: false }).start();
  }

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
