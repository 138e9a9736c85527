/**
 * Results in Redis, once per id, kept for a time; on disk while Redis cannot take them. Puts the parts together and owns
 * none of their state.
 */

import {
  type Dialect,
  encodeResult,
  type JobEvent,
  type JobResult,
  type JobStart,
  type JobState,
  type Logger,
  NanoGridError,
  type ResultStore,
} from '@nanogrid/core';
import type { ConnectionOptions } from './connection-options.js';
import { JobClaims } from './job-claims.js';
import { Outbox } from './outbox/outbox.js';
import { OutboxDrain } from './outbox/outbox-drain.js';
import { type EncodedEvent, type EncodedResult, RedisCommands } from './redis-commands.js';
import { RedisLink } from './redis-link.js';
import { RedisSharedState } from './redis-shared-state.js';
import { ResultWaits } from './result-waits.js';
import { Subscriber } from './subscriber.js';

export interface OutboxSettings {
  /** Absolute folder of the outbox. */
  readonly directory: string;
  /** Default 10,000. */
  readonly maxEntries?: number;
  /** Default 1 GiB. */
  readonly maxBytes?: number;
}

export interface RedisResultsOptions {
  readonly connection: ConnectionOptions;
  /** How long a result or a state is kept after it was written, in milliseconds. Default 3,600,000. */
  readonly resultTtlMs?: number;
  /** How long a claim outlives its worker, in milliseconds. Default 15,000. */
  readonly leaseMs?: number;
  /** Without it, as for a client that only asks, a result that Redis does not take is an error. */
  readonly outbox?: OutboxSettings;
  readonly log: Logger;
  /** An option and where its value came from, for messages. Default: its name. */
  readonly source?: (option: string) => string;
}

/** How long `health` waits for an answer, in milliseconds. */
const PING_MS = 1_500;

export class RedisResults implements ResultStore {
  readonly keepsStreams = true;
  /** What controllers and workers share beside results, on the same connections. */
  readonly shared: RedisSharedState;
  readonly #log: Logger;
  readonly #link: RedisLink;
  readonly #commands: RedisCommands;
  readonly #subscriber: Subscriber;
  readonly #waits: ResultWaits;
  readonly #claims: JobClaims;
  #eventsRefused = 0;
  readonly #outbox: Outbox | undefined;
  readonly #drain: OutboxDrain | undefined;
  /** Why the last result could neither be published nor kept on disk; undefined once one could. */
  #outboxTrouble: NanoGridError | undefined;

  constructor({ connection, resultTtlMs = 3_600_000, leaseMs, outbox, log, source = String }: RedisResultsOptions) {
    this.#log = log;
    const link = new RedisLink({ connection, log, source });
    const isUp = () => link.isUp;
    this.#link = link;
    this.#commands = new RedisCommands(link, resultTtlMs, ({ jobId, events }, reason) => {
      this.#eventsRefused += 1;
      // With all that it holds: what is billed by it must not be lost.
      log.error({ jobId, events, reason }, 'a stream in Redis did not take the event of a job');
    });
    this.#subscriber = new Subscriber(link, log);
    this.#waits = new ResultWaits(link, this.#commands, this.#subscriber);
    this.shared = new RedisSharedState(link, this.#subscriber);
    this.#claims = new JobClaims({ commands: this.#commands, isUp, ...(leaseMs === undefined ? {} : { leaseMs }) });
    if (outbox === undefined) return;
    this.#outbox = new Outbox({ maxEntries: 10_000, maxBytes: 2 ** 30, log, ...outbox });
    const publish = (result: EncodedResult) => this.#commands.publish(result);
    this.#drain = new OutboxDrain({ outbox: this.#outbox, publish, isUp, log });
    link.onUp(() => this.#drain?.now());
  }

  /**
   * Opens the outbox and tries to connect. Throws `NG_DISK_FAILED`, and `NG_CONFIG_INVALID` where the server refuses the user, the
   * password, TLS or the database. A server that cannot be reached is no reason to throw: results wait on disk until it can.
   */
  async open(): Promise<void> {
    await this.#outbox?.open();
    await this.#link.connect();
  }

  async begin(jobId: string): Promise<JobStart> {
    // On its way: known, though nobody else can know it yet.
    if (this.#outbox?.has(jobId)) return { kind: 'finished' };
    return await this.#claims.begin(jobId);
  }

  /** As far as Redis takes it: nothing fails because of a state that could not be noted. */
  async progress(jobId: string, state: 'pending' | 'running'): Promise<void> {
    if (!this.#link.isUp) return;
    await this.#commands.progress(jobId, state).catch(() => {});
  }

  async publish(result: JobResult, dialect: Dialect): Promise<boolean> {
    const { requestId: jobId, status, events } = result;
    const body = JSON.stringify(encodeResult(result, dialect));
    const state = status === 'SUCCESS' ? 'completed' : 'failed';
    const encoded: EncodedResult = { jobId, state, body, ...(events && { events: events.map(encodeEvent) }) };
    try {
      const isNew = await this.#commands.publish(encoded);
      this.#outboxTrouble = undefined;
      return isNew;
    } catch (error) {
      if (this.#outbox === undefined) throw error;
    }
    const isNew = await this.#keep(this.#outbox, encoded);
    this.#drain?.soon();
    this.#log.debug({ jobId, waiting: this.#outbox.entries }, 'a result waits on disk until Redis takes it');
    return isNew;
  }

  async #keep(outbox: Outbox, encoded: EncodedResult): Promise<boolean> {
    try {
      const isNew = await outbox.add(encoded);
      this.#outboxTrouble = undefined;
      return isNew;
    } catch (error) {
      this.#outboxTrouble = NanoGridError.from(error, 'NG_DISK_FAILED');
      throw error;
    }
  }

  get(jobId: string): Promise<JobState | undefined> {
    return this.#commands.get(jobId);
  }

  wait(jobId: string, signal: AbortSignal): Promise<Record<string, unknown> | undefined> {
    return this.#waits.wait(jobId, signal);
  }

  /** Throws where Redis cannot be used now; says how many results wait on disk. */
  async health(): Promise<void> {
    const signal = AbortSignal.timeout(PING_MS);
    try {
      if (!this.#link.trouble) await this.#link.call('Asking', (client) => unlessAborted(client.ping(), signal));
      // It answers, and took no write the last time: nothing else may be written for long.
      else if (this.#link.isUp) await unlessAborted(this.#commands.tryWrite(), signal);
    } catch (error) {
      throw this.#unhealthy(NanoGridError.from(error, 'NG_RESULT_STORE_FAILED'));
    }
    if (this.#link.trouble) throw this.#unhealthy(this.#link.trouble);
    // Redis is back, and nothing of it was kept: there is nothing left to say.
    this.#outboxTrouble = undefined;
  }

  /** What `/status` and the metrics show. */
  stats() {
    return {
      connected: this.#link.isUp && this.#link.trouble === undefined,
      waits: this.#waits.count,
      outboxEntries: this.#outbox?.entries ?? 0,
      outboxBytes: this.#outbox?.bytes ?? 0,
      outboxUnreadable: this.#outbox?.quarantined ?? 0,
      outboxPublished: this.#drain?.published ?? 0,
      eventsRefused: this.#eventsRefused,
    };
  }

  /** Ends every wait, lets what is being published end, closes the connections. Idempotent. What waits on disk stays. */
  async close(): Promise<void> {
    this.#claims.close();
    await this.#drain?.close();
    this.#waits.close();
    await this.#subscriber.close();
    await this.#link.close();
  }

  #unhealthy(error: NanoGridError): NanoGridError {
    const waiting = this.#outbox?.entries ?? 0;
    const told = waiting === 0 ? '' : ` ${waiting} ${waiting === 1 ? 'result waits' : 'results wait'} on disk.`;
    const hint = error.hint === undefined ? '' : ` ${error.hint}`;
    const lost = this.#outboxTrouble && ` Further results are kept by their jobs: ${this.#outboxTrouble.message}`;
    return new NanoGridError(error.code, `${error.message}${hint}${told}${lost ?? ''}`, { cause: error });
  }
}

/** As XADD takes it. The length is kept about so: exactly would cost each of them more. */
function encodeEvent({ stream, maxLength, fields }: JobEvent): EncodedEvent {
  return { stream, entry: ['MAXLEN', '~', String(maxLength), '*', ...Object.entries(fields).flat()] };
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('Command timed out')), { once: true });
    work.then(resolve, reject);
  });
}
