/** Runs a function at any memory size on the workers of a controller, as a temporary function of each size. Owns those functions. */

import { randomUUID } from 'node:crypto';
import type { ApiClient } from '../client/api-client.js';
import { findByName, type ServerFunction } from '../client/resolve-function.js';
import { FunctionRun } from '../client/run-function.js';
import type { Invocation } from '../invocation.js';
import type { SizeRun, SizeRunner } from './measure.js';
import type { Size } from './size.js';

/** How long the controller may take to delete what was made, in milliseconds. */
const CLEAN_UP_MS = 15_000;
/** Names have 128 characters at most. */
const LONGEST_NAME = 90;

export interface ServerRunnerOptions {
  readonly api: ApiClient;
  /** Part of the names of the temporary functions. */
  readonly name: string;
  /** Registers a new function of that name and memory. */
  readonly register: (name: string, memoryMb: number) => Promise<ServerFunction>;
  /** The input as JSON text. */
  readonly inputJson: string;
}

export class ServerRunner implements SizeRunner {
  readonly #invocation: Invocation;
  readonly #options: ServerRunnerOptions;
  /** Ids of what was registered, by memory. */
  readonly #functions = new Map<number, string>();
  readonly #tag = randomUUID().slice(0, 8);
  /** Name of the function that is being registered. */
  #registering: string | undefined;
  /** The job that runs. */
  #jobId: string | undefined;

  constructor(invocation: Invocation, options: ServerRunnerOptions) {
    this.#invocation = invocation;
    this.#options = options;
  }

  async run({ memoryMb }: Size): Promise<SizeRun> {
    const { api, inputJson } = this.#options;
    const functionId = this.#functions.get(memoryMb) ?? (await this.#register(memoryMb));
    const run = new FunctionRun(api, { functionId, inputJson }, this.#invocation.io.interruption.signal);
    this.#jobId = await run.submit();
    const record = await run.result();
    this.#jobId = undefined;
    return { record, cpus: undefined };
  }

  /** Cancels what runs and deletes the temporary functions; says which are left where that fails. */
  async close(): Promise<void> {
    const { ui } = this.#invocation;
    const api = this.#options.api.withSignal(AbortSignal.timeout(CLEAN_UP_MS));
    const ids = [...this.#functions.values()];
    const unless = (what: string) => (error: unknown) => ui.note(`${what}: ${(error as Error).message}`);
    if (this.#jobId !== undefined) {
      const path = `/jobs/${this.#jobId}/cancel`;
      await api.call('POST', path, { accept: [404, 409] }).catch(unless(`The job ${this.#jobId} was not cancelled`));
    }
    if (this.#registering !== undefined) {
      // The answer to its upload was not waited for.
      const found = await findByName(api, this.#registering).catch(unless(`${this.#registering} may be left`));
      if (found) ids.push(found.function_id);
    }
    for (const id of ids) {
      const path = `/functions/${id}`;
      await api.call('DELETE', path, { accept: [404] }).catch(unless(`The temporary function ${id} was not deleted`));
    }
    this.#functions.clear();
  }

  async #register(memoryMb: number): Promise<string> {
    const name = `tune-${this.#options.name.slice(0, LONGEST_NAME)}-${memoryMb}-${this.#tag}`;
    this.#registering = name;
    const { function_id } = await this.#options.register(name, memoryMb);
    this.#functions.set(memoryMb, function_id);
    this.#registering = undefined;
    return function_id;
  }
}
