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
    const { isTTY, columns = 0 } = this.#stream;
    if (isTTY !== true) return;
    const whole =
      sent < total
        ? `Sending ${formatBytes(sent)} of ${formatBytes(total)} (${Math.floor((100 * sent) / total)} %)`
        : `Sent ${formatBytes(total)}; the controller checks it`;
    // A line that wraps could not be taken away again.
    const text = columns > 1 ? whole.slice(0, columns - 1) : whole;
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
