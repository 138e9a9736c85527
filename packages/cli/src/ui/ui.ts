/** Where a command writes: results to standard output, words for a person to standard error. Owns no state. */

import type { NanoGridError } from '@nanogrid/core';
import type { Io, OutputStream } from '../io.js';
import { errorDocument, errorText } from './describe-error.js';
import { createStyle, type Style, wantsColour } from './style.js';
import { forTerminal } from './terminal-text.js';

export interface UiOptions {
  /** One JSON document on standard output instead of text. */
  readonly json: boolean;
  /** Shows the stacks of errors. */
  readonly verbose: boolean;
}

export class Ui {
  readonly #io: Io;
  readonly #options: UiOptions;
  /** Colours of standard error. */
  readonly style: Style;

  constructor(io: Io, options: UiOptions) {
    this.#io = io;
    this.#options = options;
    this.style = createStyle(wantsColour(io.stderr, io.env));
  }

  get json(): boolean {
    return this.#options.json;
  }

  get verbose(): boolean {
    return this.#options.verbose;
  }

  /** A line for a person. */
  note(text: string): void {
    this.#write(this.#io.stderr, text);
  }

  /** A result as text; nothing under `--json`. */
  print(text: string): void {
    if (!this.json) this.#write(this.#io.stdout, text);
  }

  /** A value as JSON: indented for a terminal, on one line for a program. */
  printJson(value: unknown): void {
    this.#write(this.#io.stdout, JSON.stringify(value, null, this.#io.stdout.isTTY === true ? 2 : 0));
  }

  /** What functions wrote may be part of any text: it must not take over the terminal. */
  #write(stream: OutputStream, text: string): void {
    stream.write(`${stream.isTTY === true ? forTerminal(text) : text}\n`);
  }

  /** A result that is a document under `--json` and text otherwise. */
  result(document: unknown, text: string): void {
    if (this.json) this.printJson(document);
    else this.print(text);
  }

  error(error: NanoGridError): void {
    if (this.json) this.printJson({ error: errorDocument(error) });
    this.note(errorText(error, this.style, this.verbose));
  }
}
