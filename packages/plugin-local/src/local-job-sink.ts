/** The controller's way into the local queue. Owns no state. */

import type { JobSink } from '@nanogrid/core';
import type { LocalQueue } from './local-queue.js';
import type { LocalResults } from './local-results.js';

export class LocalJobSink implements JobSink {
  /** Where a job is pending from the moment it is in the queue: both are written in one step. */
  readonly announcesTo: LocalResults;
  readonly #queue: LocalQueue;

  constructor(queue: LocalQueue, results: LocalResults) {
    this.#queue = queue;
    this.announcesTo = results;
  }

  /** Throws `NG_USAGE` for a body that is too large, `NG_QUEUE_FAILED` where the database cannot be written. */
  async send({ body, jobId }: { readonly body: string; readonly jobId: string }): Promise<void> {
    await this.#queue.send(body, { along: () => this.announcesTo.announce(jobId) });
  }
}
