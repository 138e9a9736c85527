/** The controller's way into the local code store. Owns no state. */

import { addAbortSignal, Readable } from 'node:stream';
import { type CodeUploads, NanoGridError } from '@nanogrid/core';
import type { LocalCodeStore } from './local-code-store.js';

export class LocalCodeUploads implements CodeUploads {
  readonly #code: LocalCodeStore;

  constructor(code: LocalCodeStore) {
    this.#code = code;
  }

  /** Readers see the old object or the new one, never a part. Throws `NG_CODE_UNAVAILABLE`, also where the stream ends early. */
  async put(key: string, body: Readable, sizeBytes: number, signal: AbortSignal): Promise<void> {
    let received = 0;
    const whole = async function* () {
      for await (const chunk of addAbortSignal(signal, body)) {
        received += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
      if (received === sizeBytes) return;
      throw new NanoGridError(
        'NG_CODE_UNAVAILABLE',
        `The upload of ${key} ended after ${received} of ${sizeBytes} bytes.`,
      );
    };
    await this.#code.put({ bucket: undefined, key }, Readable.from(whole()));
  }

  /** Throws `NG_CODE_NOT_FOUND` where there is none. */
  async copy(from: string, to: string, signal: AbortSignal): Promise<void> {
    const { body } = await this.#code.open({ bucket: undefined, key: from }, signal);
    await this.#code.put({ bucket: undefined, key: to }, body);
  }

  async delete(key: string): Promise<void> {
    await this.#code.delete({ bucket: undefined, key });
  }
}
