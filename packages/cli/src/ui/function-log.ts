/** Shows what a function writes while it runs. Owns what came of an unfinished character or escape sequence, per stream. */

import type { OutputStream } from '../io.js';
import { forTerminal } from './terminal-text.js';

type StreamName = 'stdout' | 'stderr';

/** The beginning of a colour, at the end of a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const UNFINISHED = /\u001b(\[[0-9;:]{0,32})?$/;

export class FunctionLog {
  readonly #stream: OutputStream;
  readonly #parts = { stdout: newPart(), stderr: newPart() };

  /** Bytes go to a file or a pipe as they are; a terminal gets them without what it would obey. */
  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  write(name: StreamName, chunk: Buffer): void {
    // The chunk is only valid during this call; the stream may keep it for longer.
    if (this.#stream.isTTY !== true) this.#stream.write(Buffer.from(chunk));
    else this.#show(name, this.#parts[name].decoder.decode(chunk, { stream: true }));
  }

  /** Shows what is left. */
  end(): void {
    if (this.#stream.isTTY !== true) return;
    for (const name of ['stdout', 'stderr'] as const) {
      this.#show(name, this.#parts[name].decoder.decode());
      const { rest } = this.#parts[name];
      if (rest !== '') this.#stream.write(forTerminal(rest));
    }
  }

  #show(name: StreamName, decoded: string): void {
    const part = this.#parts[name];
    const text = part.rest + decoded;
    part.rest = UNFINISHED.exec(text)?.[0] ?? '';
    const whole = text.slice(0, text.length - part.rest.length);
    if (whole !== '') this.#stream.write(forTerminal(whole));
  }
}

function newPart() {
  return { decoder: new TextDecoder('utf-8', { ignoreBOM: true }), rest: '' };
}
