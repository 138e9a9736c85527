/** Hands a job to a controller and waits for its result, across waits that end and connections that break. Owns one job. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { NanoGridError } from '@nanogrid/core';
import type { ApiAnswer, ApiClient } from './api-client.js';

/** How often a controller that cannot be reached, or is too busy, is asked again in a row. */
const TRIES = 5;
const PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;

export class FunctionRun {
  readonly #api: ApiClient;
  readonly #json: string;
  readonly #signal: AbortSignal;
  /** The same in each request: however often one is sent, there is one job. */
  readonly #key: string;

  constructor(
    api: ApiClient,
    { functionId, inputJson, key }: { readonly functionId: string; readonly inputJson: string; readonly key?: string },
    signal: AbortSignal,
  ) {
    this.#api = api;
    // The input as it was written: parsing and writing it again would cut the digits of large numbers.
    this.#json = `{"function_id":${JSON.stringify(functionId)},"payload":${inputJson}}`;
    this.#signal = signal;
    this.#key = key ?? `cli-${randomUUID()}`;
  }

  /** Resolves when the job is in the queue, with its id. Throws as `ApiClient.call` does. */
  async submit(): Promise<string> {
    const { body } = await this.#ask({ 'x-async': 'true' }, []);
    return String(body.job_id);
  }

  /** Resolves with the result, in the snake dialect. Call it after `submit`. */
  async result(): Promise<Record<string, unknown>> {
    for (;;) {
      const { status, body } = await this.#ask({}, [504]);
      if (status !== 504) return body;
      // The controller waited as long as it does, or stops: another may answer.
      const { code } = (body.error ?? {}) as { code?: string };
      if (code !== 'WAIT_ENDED') await sleep(PAUSE_MS, undefined, { signal: this.#signal });
    }
  }

  async #ask(headers: Record<string, string>, accept: readonly number[]): Promise<ApiAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        const options = { headers: { ...headers, 'idempotency-key': this.#key }, json: this.#json, accept };
        return await this.#api.call('POST', '/run', options);
      } catch (error) {
        const again = error instanceof NanoGridError && error.code === 'NG_SERVER_UNAVAILABLE' && tries < TRIES;
        if (!again) throw error;
        await sleep(Math.min(PAUSE_MS * 2 ** (tries - 1), MAX_PAUSE_MS), undefined, { signal: this.#signal });
      }
    }
  }
}
