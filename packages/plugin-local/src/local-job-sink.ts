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
  async send({
    body,
    jobId,
    isUnknown = false,
  }: {
    readonly body: string;
    readonly jobId: string;
    readonly isUnknown?: boolean;
  }): Promise<void> {
    const results = this.announcesTo;
    try {
      await this.#queue.send(body, {
        // Of most jobs that a worker has at once there is a result before anybody could ask.
        along: (isHeld) => (isHeld && isUnknown ? results.announceSoon(jobId) : results.announce(jobId)),
      });
    } catch (error) {
      results.forget(jobId);
      throw error;
    }
  }
}
