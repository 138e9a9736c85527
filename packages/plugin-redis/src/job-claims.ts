/**
 * Which jobs this worker has taken up, told to other workers by keys that lapse. Owns the list of those jobs, a name of
 * its own, and the timer that keeps the keys.
 *
 * A worker that dies keeps nobody from its jobs for longer than a lease. A lease that lapses by mistake (a Redis that was
 * away, a process that was stopped) lets a job run twice, and one of the two results is published.
 */

import { randomUUID } from 'node:crypto';
import { isGone, type JobStart, workerIdentity } from '@nanogrid/core';
import type { RedisCommands } from './redis-commands.js';

/** How long a claim outlives the worker that does not renew it, in milliseconds. */
const LEASE_MS = 15_000;

/** Stands in no part of an owner's name: machine, process, and what tells stores of one process apart. */
const SEPARATOR = '~';

export interface JobClaimsOptions {
  readonly commands: RedisCommands;
  /** Whether there is a connection. */
  readonly isUp: () => boolean;
  /** Default 15,000. */
  readonly leaseMs?: number;
}

export class JobClaims {
  readonly #commands: RedisCommands;
  readonly #isUp: () => boolean;
  readonly #leaseMs: number;
  readonly #self = workerIdentity();
  readonly #owner = [this.#self.host, this.#self.process, randomUUID()].join(SEPARATOR);
  readonly #held = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ commands, isUp, leaseMs = LEASE_MS }: JobClaimsOptions) {
    this.#commands = commands;
    this.#isUp = isUp;
    this.#leaseMs = leaseMs;
  }

  /** Where Redis cannot be asked, the job is taken up without telling anybody. */
  async begin(jobId: string): Promise<JobStart> {
    const run: JobStart = { kind: 'run', end: () => this.#end(jobId) };
    if (this.#isUp()) {
      const kind = await this.#ask(jobId).catch(() => 'run' as const);
      // On a cluster the claim may have been taken before the result was seen.
      if (kind === 'finished') this.#release(jobId);
      if (kind !== 'run') return { kind };
    }
    this.#held.add(jobId);
    this.#timer ??= setInterval(() => this.#renewAll(), this.#leaseMs / 3).unref();
    return run;
  }

  /** Gives up what is held. Idempotent. */
  close(): void {
    for (const jobId of [...this.#held]) this.#end(jobId);
  }

  async #ask(jobId: string): Promise<JobStart['kind']> {
    const begin = () => this.#commands.begin(jobId, this.#owner, this.#leaseMs);
    let found = await begin();
    if (typeof found === 'object' && this.#isDead(found.owner)) {
      // A worker of this machine that was killed: nobody has to wait for its lease to end.
      await this.#commands.release(jobId, found.owner);
      found = await begin();
    }
    return typeof found === 'object' ? 'elsewhere' : found;
  }

  #isDead(owner: string): boolean {
    const [host = '', process = ''] = owner.split(SEPARATOR);
    return isGone({ host, process }, this.#self);
  }

  #end(jobId: string): void {
    if (!this.#held.delete(jobId)) return;
    if (this.#held.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#release(jobId);
  }

  #release(jobId: string): void {
    // What is not given up now lapses by itself.
    if (this.#isUp()) this.#commands.release(jobId, this.#owner).catch(() => {});
  }

  #renewAll(): void {
    if (!this.#isUp()) return;
    for (const jobId of this.#held) this.#commands.renew(jobId, this.#owner, this.#leaseMs).catch(() => {});
  }
}
