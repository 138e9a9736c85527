/** Shows how much of an upload was sent, on a terminal; a file or a pipe gets nothing. Owns the line while it is shown. */

import type { OutputStream } from '../io.js';
import { formatBytes } from './format.js';

export class UploadProgress {
  readonly #stream: OutputStream;
  #shown = '';

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /** Both in bytes. */
  update(sent: number, total: number): void {
    if (this.#stream.isTTY !== true) return;
    const text = `Sending ${formatBytes(sent)} of ${formatBytes(total)} (${Math.floor((100 * sent) / total)} %)`;
    if (text === this.#shown) return;
    this.#stream.write(`\r\u001b[K${text}`);
    this.#shown = text;
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown !== '') this.#stream.write('\r\u001b[K');
    this.#shown = '';
  }
}
