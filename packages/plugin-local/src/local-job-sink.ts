/** The controller's way into the local queue. Owns no state. */

import type { JobSink } from '@nanogrid/core';
import type { LocalQueue } from './local-queue.js';

export class LocalJobSink implements JobSink {
  readonly #queue: LocalQueue;

  constructor(queue: LocalQueue) {
    this.#queue = queue;
  }

  /** Throws `NG_USAGE` for a body that is too large, `NG_QUEUE_FAILED` where the database cannot be written. */
  async send({ body }: { readonly body: string }): Promise<void> {
    await this.#queue.send(body);
  }
}
