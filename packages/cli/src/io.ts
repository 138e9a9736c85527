/** What the command line uses of its process, handed in so that a test or another program can give its own. Owns no state. */

import type { Readable } from 'node:stream';
import type { Interruption } from './interruption.js';

/** A stream that text is written to; `isTTY` tells a terminal, `columns` its width. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results, and nothing else. */
  readonly stdout: OutputStream;
  /** Everything that is written for a person. */
  readonly stderr: OutputStream;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute folder that relative paths start from. */
  readonly cwd: string;
  /** Whether the process was asked to end. */
  readonly interruption: Interruption;
  /**
   * Has Node's warnings (of deprecations, of old versions) taken by `take` instead of written to standard error. Returns
   * what gives them back. Default: they are written.
   */
  readonly takeWarnings?: (take: (warning: Error) => void) => () => void;
  /** Has `cleanUp` called when the process exits, however it does. Returns what takes it back. */
  atExit(cleanUp: () => void): () => void;
}
