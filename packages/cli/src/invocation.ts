/** What every command is called with. Owns no state. */

import type { Io } from './io.js';
import type { Ui } from './ui/ui.js';

/** Options that every command takes. */
export interface GlobalOptions {
  /** Configuration file, relative to the working directory. */
  readonly config?: string;
  /** Environment overlay; `NANOGRID_ENV` where it is not given. */
  readonly env?: string;
  readonly json?: true;
  readonly verbose?: true;
}

export interface Invocation {
  readonly io: Io;
  readonly ui: Ui;
  readonly globals: GlobalOptions;
}

/** Runs the work of a command; what it returns is the exit code. */
export type Execute = (work: (invocation: Invocation) => Promise<number>) => Promise<void>;
