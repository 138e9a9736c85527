/**
 * The pool of warm containers: hands them to jobs, fills up idle ones, makes room, replaces the dead. Owns the set of
 * containers and the line of waiting jobs; one container's own life is `container.ts`.
 *
 * A job gets, in this order: a container bound to its function version that waits; an idle one, which is bound to it;
 * a new one. Where the limit of containers is reached, the least recently used bound container makes room; where all
 * are busy, the job waits its turn.
 */

import { NanoGridError } from '../errors.js';
import type { ExtractedCode } from '../hooks.js';
import type { ContainerLimits } from '../job-limits.js';
import type { Logger } from '../logger.js';
import type { StartKind } from '../result.js';
import type { Runtime } from '../runtime/runtime.js';
import { Container, type ContainerEvents, type ContainerState } from './container.js';

/** Delays before idle containers are made again after one could not be, in milliseconds. */
const REFILL_DELAYS_MS = [500, 1_000, 2_000, 5_000, 15_000, 30_000];

/** A bound container that waited longer is asked whether it still answers, before a job relies on it. */
const PING_AFTER_MS = 1_000;

export interface PoolOptions {
  /** Most containers at once. */
  readonly maxContainers: number;
  /** A bound container that served nothing for so long is removed, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** Jobs after which a container is replaced. */
  readonly maxJobs: number;
  /** Size of the writable places of idle containers, in MiB; a function with another one gets containers of its kind. */
  readonly diskMb: number;
  /** How many idle containers wait for each runtime. */
  sizeOf(runtime: Runtime): number;
  /** Makes and starts a container; it is idle when this resolves. Nothing is left when it rejects. */
  startContainer(runtime: Runtime, container: Container): Promise<void>;
  nameContainer(runtime: Runtime): string;
  /** Calls what belongs to no job. */
  inBackground<T>(work: () => T): T;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
}

/** Containers of one kind are made alike. Only those without a network, and of the usual size, are made ahead of jobs. */
interface Kind {
  readonly runtime: Runtime;
  /** Whether it is on a network that leads outside. */
  readonly outside: boolean;
  /** Size of each writable place, in MiB. */
  readonly diskMb: number;
}

/** What a job needs a container for. */
export interface PoolRequest extends Kind {
  /** Function version, with all that must be equal for a container to be used again. */
  readonly binding: string;
  readonly code: ExtractedCode;
  readonly limits: ContainerLimits;
}

/** A container for a job, how it came to be, and how long it took to get the function ready in it. */
export interface Acquired {
  readonly container: Container;
  readonly start: StartKind;
  readonly buildMs: number;
}

interface Waiter {
  readonly request: PoolRequest;
  resolve(taken: { container: Container; start: StartKind }): void;
  reject(error: unknown): void;
}

export interface PoolStats {
  /** Containers by runtime and state. */
  readonly runtimes: Record<string, Partial<Record<ContainerState, number>>>;
  readonly waiting: number;
  /** Changes of state since the start, by `from>to`. */
  readonly transitions: Record<string, number>;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #runtimes: readonly Runtime[];
  readonly #containers = new Set<Container>();
  readonly #waiters: Waiter[] = [];
  readonly #transitions = new Map<string, number>();
  readonly #failures = new Map<Runtime, number>();
  readonly #refills = new Map<Runtime, NodeJS.Timeout>();
  readonly #events: ContainerEvents = { onState: (container, from, to) => this.#onState(container, from, to) };
  #reaper: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor(runtimes: readonly Runtime[], options: PoolOptions) {
    this.#runtimes = runtimes;
    this.#options = options;
  }

  /** Fills up the idle containers, side by side; resolves when each is there. Throws the first failure. */
  async start(): Promise<void> {
    const { idleTimeoutMs } = this.#options;
    this.#reaper = setInterval(() => this.#reap(), Math.max(1_000, Math.min(idleTimeoutMs / 4, 60_000)));
    this.#reaper.unref();
    await Promise.all(this.#runtimes.flatMap((runtime) => this.#fill(runtime)));
  }

  /** Takes a container for a job: bound to its function version, with its code laid out. Give it back with `release`. */
  async acquire(request: PoolRequest, signal: AbortSignal): Promise<Acquired> {
    signal.throwIfAborted();
    for (;;) {
      const { container, start } =
        this.#takeNow(request, this.#ahead(request)) ?? (await this.#takeLater(request, signal));
      if (start === 'reused') {
        const waitedMs = this.#options.now() - container.lastUsedAt;
        if (waitedMs < PING_AFTER_MS || (await container.answers())) return { container, start, buildMs: 0 };
        continue;
      }
      const began = this.#options.now();
      container.boundAt = began;
      try {
        await container.bind(request.binding, request.code, request.limits);
        return { container, start, buildMs: this.#options.now() - began };
      } catch (error) {
        // An idle container may have died unnoticed until it was asked; another one is tried before the job suffers.
        if (start !== 'warm' || signal.aborted) throw error;
      }
    }
  }

  /** Whether a container of that function version waits for a job, or will in a moment. */
  serves(binding: string): boolean {
    for (const container of this.#containers) {
      if (container.state === 'bound' && container.binding === binding) return true;
    }
    return this.#cleaning(binding) > 0;
  }

  /** Takes a container back once its job is over. Returns when it waits again, or is on its way out. */
  async release(container: Container): Promise<void> {
    const usable = await container.release(this.#options.now());
    if (usable && (this.#stopping || container.jobsServed >= this.#options.maxJobs)) {
      void container.retire('it served its share of jobs');
    }
    this.#dispatch();
    // While others waited in line, no idle one was made.
    this.#refill(container.runtime);
  }

  stats(): PoolStats {
    const runtimes: Record<string, Partial<Record<ContainerState, number>>> = {};
    for (const runtime of this.#runtimes) runtimes[runtime.name] = {};
    for (const { runtime, state } of this.#containers) {
      const states = runtimes[runtime.name] ?? {};
      runtimes[runtime.name] = states;
      states[state] = (states[state] ?? 0) + 1;
    }
    return { runtimes, waiting: this.#waiters.length, transitions: Object.fromEntries(this.#transitions) };
  }

  /** Removes every container, the busy ones too; resolves when the engine has forgotten them. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#reaper);
    for (const timer of this.#refills.values()) clearTimeout(timer);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(stopped());
    await Promise.all([...this.#containers].map((container) => container.retire('the worker stops')));
  }

  /** `ahead`: how many in the line wait for the same function version before this one. */
  #takeNow(request: PoolRequest, ahead: number): { container: Container; start: StartKind } | undefined {
    if (this.#stopping) throw stopped();
    let idle: Container | undefined;
    for (const container of this.#containers) {
      if (!isOfKind(container, request)) continue;
      if (container.state === 'bound' && container.binding === request.binding) {
        container.take();
        return { container, start: 'reused' };
      }
      if (container.state === 'idle') idle ??= container;
    }
    if (!idle || this.#cleaning(request.binding) > ahead) return undefined;
    idle.take();
    queueMicrotask(() => this.#refill(request.runtime));
    return { container: idle, start: 'warm' };
  }

  /** Containers of a function version that will wait again in a moment. */
  #cleaning(binding: string): number {
    let count = 0;
    for (const container of this.#containers) {
      if (container.cleaning && container.state === 'busy' && container.binding === binding) count++;
    }
    return count;
  }

  #takeLater(request: PoolRequest, signal: AbortSignal): Promise<{ container: Container; start: StartKind }> {
    return new Promise((resolve, reject) => {
      const cancel = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        request,
        resolve: (taken) => {
          signal.removeEventListener('abort', cancel);
          resolve(taken);
        },
        reject: (error) => {
          signal.removeEventListener('abort', cancel);
          reject(error);
        },
      };
      signal.addEventListener('abort', cancel, { once: true });
      this.#waiters.push(waiter);
      this.#dispatch();
    });
  }

  /** Serves the line as far as there is something to serve it with, in order. */
  #dispatch(): void {
    if (this.#stopping) return;
    const expected = [...this.#containers].filter(({ state }) => state === 'creating');
    for (const waiter of [...this.#waiters]) {
      const { binding } = waiter.request;
      const ahead = this.#ahead(waiter.request, waiter);
      const taken = this.#takeNow(waiter.request, ahead);
      if (taken) {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        waiter.resolve({ ...taken, start: taken.start === 'warm' ? 'cold' : taken.start });
        continue;
      }
      if (this.#cleaning(binding) > ahead) continue;
      // One container that is being made serves one of the line.
      const coming = expected.findIndex((container) => isOfKind(container, waiter.request));
      if (coming >= 0) expected.splice(coming, 1);
      else if (this.#makeRoom(true))
        this.#create(waiter.request).catch((error) => this.#failOne(waiter.request, error));
    }
  }

  /** How many of the line, up to `waiter`, wait for the function version of `request`. */
  #ahead(request: PoolRequest, waiter?: Waiter): number {
    const end = waiter === undefined ? this.#waiters.length : this.#waiters.indexOf(waiter);
    let count = 0;
    for (let i = 0; i < end; i++) if (this.#waiters[i]?.request.binding === request.binding) count++;
    return count;
  }

  /**
   * True when one more container may be made now; the least recently used bound one goes where it must. For a job that
   * waits (`urgent`), an idle one of another runtime goes too.
   */
  #makeRoom(urgent: boolean): boolean {
    const alive = [...this.#containers].filter(({ state }) => state !== 'retired');
    if (alive.length < this.#options.maxContainers) return true;
    const [oldest] = alive.filter(({ state }) => state === 'bound').sort((a, b) => a.lastUsedAt - b.lastUsedAt);
    const victim = oldest ?? (urgent ? alive.find(({ state }) => state === 'idle') : undefined);
    if (!victim) return false;
    void victim.retire('it made room for another function');
    return true;
  }

  async #create({ runtime, outside, diskMb }: Kind): Promise<void> {
    const { log, nameContainer, startContainer } = this.#options;
    const container = new Container(runtime, nameContainer(runtime), outside, diskMb, log, this.#events);
    await startContainer(runtime, container);
    this.#failures.delete(runtime);
    this.#dispatch();
  }

  /** A container could not be made: the first of the line that waits for one is told, so that it does not wait for ever. */
  #failOne(kind: Kind, error: unknown): void {
    const index = this.#waiters.findIndex(({ request }) => isOfKind(request, kind));
    const [waiter] = index < 0 ? [] : this.#waiters.splice(index, 1);
    waiter?.reject(error);
    this.#dispatch();
  }

  /** Starts as many idle containers as are missing. */
  #fill(runtime: Runtime): Promise<void>[] {
    let missing = this.#options.sizeOf(runtime);
    const kind = this.#usual(runtime);
    for (const container of this.#containers) {
      const isComing = container.state === 'idle' || container.state === 'creating';
      if (isComing && isOfKind(container, kind)) missing--;
    }
    missing -= this.#waiters.filter(({ request }) => isOfKind(request, kind)).length;
    const creations: Promise<void>[] = [];
    while (missing-- > 0 && this.#makeRoom(false)) creations.push(this.#create(kind));
    return creations;
  }

  /** The same in the background; after a failure, again with growing delays. */
  #refill(runtime: Runtime): void {
    if (this.#stopping || this.#refills.has(runtime)) return;
    this.#options.inBackground(() => this.#refillNow(runtime));
  }

  #refillNow(runtime: Runtime): void {
    for (const creation of this.#fill(runtime)) {
      creation.catch((error) => {
        if (this.#stopping) return;
        const failures = this.#failures.get(runtime) ?? 0;
        this.#failures.set(runtime, failures + 1);
        const delayMs = REFILL_DELAYS_MS[Math.min(failures, REFILL_DELAYS_MS.length - 1)] as number;
        this.#options.log.warn({ err: error, runtime: runtime.name, delayMs }, 'a container could not be started');
        clearTimeout(this.#refills.get(runtime));
        const retry = setTimeout(() => {
          this.#refills.delete(runtime);
          this.#refill(runtime);
        }, delayMs);
        retry.unref();
        this.#refills.set(runtime, retry);
        this.#failOne(this.#usual(runtime), error);
      });
    }
  }

  /** The kind that is made ahead of jobs. */
  #usual(runtime: Runtime): Kind {
    return { runtime, outside: false, diskMb: this.#options.diskMb };
  }

  #reap(): void {
    const before = this.#options.now() - this.#options.idleTimeoutMs;
    for (const container of this.#containers) {
      if (container.state === 'bound' && container.lastUsedAt < before) void container.retire('nobody used it');
    }
    // Made for jobs of a crowd that others then served.
    for (const runtime of this.#runtimes) {
      const idle = [...this.#containers].filter((one) => one.runtime === runtime && one.state === 'idle');
      const usual = idle.filter((one) => isOfKind(one, this.#usual(runtime)));
      const wanted = usual.slice(0, this.#options.sizeOf(runtime));
      for (const surplus of idle.filter((one) => !wanted.includes(one))) void surplus.retire('it was one too many');
    }
  }

  #onState(container: Container, from: ContainerState | undefined, to: ContainerState): void {
    const change = `${from ?? ''}>${to}`;
    this.#transitions.set(change, (this.#transitions.get(change) ?? 0) + 1);
    if (to === 'creating') this.#containers.add(container);
    if (to !== 'removed') {
      // An idle container that died is replaced before a job meets it.
      if (to === 'retired' && from === 'idle') queueMicrotask(() => this.#refill(container.runtime));
      return;
    }
    this.#containers.delete(container);
    queueMicrotask(() => {
      this.#dispatch();
      this.#refill(container.runtime);
    });
  }
}

function isOfKind(one: Kind, other: Kind): boolean {
  return one.runtime === other.runtime && one.outside === other.outside && one.diskMb === other.diskMb;
}

function stopped(): NanoGridError {
  return new NanoGridError('NG_CONTAINER_FAILED', 'the worker is stopping');
}
