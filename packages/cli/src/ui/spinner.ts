/** A line on a terminal that says what is going on, with a spinner before it. Owns the spinner. */

import type { Ora } from 'ora';
import type { Io, OutputStream } from '../io.js';

/** Whether a spinner can be shown. A terminal that tells no width (0) would make it clear lines for ever. */
export function canSpin({ isTTY, columns = 0 }: OutputStream): boolean {
  return isTTY === true && columns > 0;
}

export class Spinner {
  readonly #io: Pick<Io, 'stderr'>;
  #spinner: Ora | undefined;
  /** What the spinner says, or will say once it is loaded; undefined while there is none. */
  #text: string | undefined;

  constructor(io: Pick<Io, 'stderr'>) {
    this.#io = io;
  }

  show(text: string): void {
    const loading = this.#text !== undefined;
    this.#text = text;
    if (this.#spinner) this.#spinner.text = text;
    else if (!loading) this.#start().catch(() => {});
  }

  /** Takes it away; a later `show` brings it back. */
  stop(): void {
    this.#text = undefined;
    this.#spinner?.stop();
    this.#spinner = undefined;
  }

  /** Loaded when something is there to show: most commands never do. */
  async #start(): Promise<void> {
    const { default: ora } = await import('ora');
    if (this.#text === undefined || this.#spinner !== undefined) return;
    const stream = this.#io.stderr as NodeJS.WriteStream;
    // `discardStdin` would take Ctrl-C and the function's input away from the process.
    this.#spinner = ora({ text: this.#text, stream, discardStdin: false }).start();
  }
}
