/** What is said to Redis of a job, on a single server in one step and on a cluster key by key. Owns no state. */

import type { JobState } from '@nanogrid/core';
import type { Client } from './connection-options.js';
import type { RedisLink } from './redis-link.js';
import { appendedKey, claimKey, resultKey, type ScriptName, stateKey, streamKey } from './scripts.js';

/** An event as it is appended. */
export interface EncodedEvent {
  readonly stream: string;
  /** Arguments of XADD behind the key. */
  readonly entry: readonly string[];
}

/** A result as it is published. */
export interface EncodedResult {
  readonly jobId: string;
  readonly state: 'completed' | 'failed';
  /** JSON in the dialect of the job. */
  readonly body: string;
  readonly events?: readonly EncodedEvent[];
}

type Answer = number | string | null;
type Scripts = Record<ScriptName, (keys: number, ...keysAndArguments: (string | number)[]) => Promise<Answer>>;

/** Runs one of our scripts. Throws as `RedisLink.call` does. */
export function runScript(
  link: RedisLink,
  action: string,
  script: ScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
  optional = false,
): Promise<Answer> {
  const run = (client: Client) => (client as unknown as Scripts)[script](keys.length, ...keys, ...args);
  return link.call(action, run, optional);
}

/** Every method throws `NG_RESULT_STORE_FAILED`. */
export class RedisCommands {
  readonly #link: RedisLink;
  readonly #ttlMs: number;
  readonly #refused: (result: EncodedResult, reason: string) => void;

  /** `refused`: told of events that a stream did not take, and that are not tried again; their result is published. */
  constructor(link: RedisLink, ttlMs: number, refused: (result: EncodedResult, reason: string) => void = () => {}) {
    this.#link = link;
    this.#ttlMs = ttlMs;
    this.#refused = refused;
  }

  /** False where a result of that id is known. */
  async publish(result: EncodedResult): Promise<boolean> {
    const { jobId, state, body, events = [] } = result;
    const key = resultKey(jobId);
    if (!this.#link.isCluster) {
      const keys = [key, stateKey(jobId), ...events.map(({ stream }) => streamKey(stream))];
      const args = [body, this.#ttlMs, state, ...events.map(({ entry }) => JSON.stringify(entry))];
      const answer = await this.#run('Publishing a result to', 'ngPublish', keys, args);
      if (typeof answer === 'string') this.#refused(result, answer);
      return answer !== 0;
    }
    // Before the result: who dies in between publishes nothing, and the job that comes again finds its event noted.
    for (const { stream, entry } of events) {
      const keys = [streamKey(stream), appendedKey(stream, jobId)];
      const answer = await this.#run('Appending an event to', 'ngAppend', keys, [JSON.stringify(entry), this.#ttlMs]);
      if (typeof answer === 'string') this.#refused(result, answer);
    }
    const isNew = (await this.#run('Publishing a result to', 'ngPublish', [key], [body, this.#ttlMs])) === 1;
    // Also where it was known: whoever published it may have died before this step. Its state is the one that counts.
    const known = isNew ? undefined : await this.#get(key);
    await this.#run('Noting a state in', 'ngProgress', [stateKey(jobId)], [stateOf(known) ?? state, this.#ttlMs]);
    return isNew;
  }

  async progress(jobId: string, state: 'pending' | 'running'): Promise<void> {
    const keys = this.#link.isCluster ? [stateKey(jobId)] : [stateKey(jobId), resultKey(jobId)];
    await this.#run('Noting a state in', 'ngProgress', keys, [state, this.#ttlMs]);
  }

  /** Takes a job up for `owner`, for `leaseMs`; or tells who has it. */
  async begin(jobId: string, owner: string, leaseMs: number): Promise<'run' | 'finished' | { readonly owner: string }> {
    const action = 'Taking up a job in';
    const args = [owner, leaseMs, this.#ttlMs];
    const keys = [claimKey(jobId), resultKey(jobId), stateKey(jobId)];
    const found = await this.#run(action, 'ngBegin', this.#link.isCluster ? keys.slice(0, 1) : keys, args);
    const other = typeof found === 'string' ? { owner: found } : undefined;
    if (found === 0) return 'finished';
    if (!this.#link.isCluster) return other ?? 'run';
    // After the claim: whoever had it before has published by now, or never will.
    if ((await this.#link.call(action, (client) => client.exists(resultKey(jobId)))) === 1) return 'finished';
    if (other) return other;
    await this.progress(jobId, 'running');
    return 'run';
  }

  async renew(jobId: string, owner: string, leaseMs: number): Promise<void> {
    await this.#run('Keeping a job in', 'ngRenew', [claimKey(jobId)], [owner, leaseMs]);
  }

  async release(jobId: string, owner: string): Promise<void> {
    await this.#run('Giving up a job in', 'ngRelease', [claimKey(jobId)], [owner]);
  }

  /** Throws where the server takes no writes. Leaves nothing behind. */
  async tryWrite(): Promise<void> {
    await this.#link.call('Writing to', (client) => client.set(claimKey('~health'), '1', 'PX', 1));
  }

  async get(jobId: string): Promise<JobState | undefined> {
    const body = await this.#get(resultKey(jobId));
    if (body !== null) return { state: stateOf(body) ?? 'failed', result: JSON.parse(body) };
    const state = await this.#get(stateKey(jobId));
    // A final state without its result: the result expired, or comes the moment after.
    return state === 'pending' || state === 'running' ? { state } : undefined;
  }

  /** The result as JSON; null where there is none. */
  result(jobId: string): Promise<string | null> {
    return this.#get(resultKey(jobId));
  }

  #get(key: string): Promise<string | null> {
    return this.#link.call('Looking up a job in', (client) => client.get(key));
  }

  #run(...[action, script, keys, args]: Run): Promise<Answer> {
    return runScript(this.#link, action, script, keys, args);
  }
}

type Run = [action: string, script: ScriptName, keys: readonly string[], args: readonly (string | number)[]];

/** Both dialects say in `status` how a job ended. */
function stateOf(body: string | null | undefined): 'completed' | 'failed' | undefined {
  if (body === null || body === undefined) return undefined;
  const { status } = JSON.parse(body) as { status?: unknown };
  return status === 'SUCCESS' || status === 'completed' ? 'completed' : 'failed';
}
