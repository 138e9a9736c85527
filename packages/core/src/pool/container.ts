/**
 * One container and its states: creating → idle → busy → bound → busy → bound … → retired → removed.
 *
 * - `idle`: warm, has never held anyone's code.
 * - `busy`: is being bound to one function version, for life; or runs a job of it, or cleans up after one.
 * - `bound`: holds the code of its function version; waits for the next job.
 * - `retired`: takes no job any more; is being removed.
 * - `removed`: the engine has forgotten it.
 *
 * Every change goes through `#become`, which logs and counts it. Any anomaly (time-out, OOM, a survivor, a protocol
 * error, a lost stream) retires the container.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NanoGridError } from '../errors.js';
import type { RunReport } from '../exec/run-report.js';
import type { RunRequest } from '../exec/run-request.js';
import type { RunSinks } from '../exec/running-job.js';
import { SupervisorSession } from '../exec/supervisor-session.js';
import type { ExtractedCode } from '../hooks.js';
import type { ContainerLimits } from '../job-limits.js';
import type { Logger } from '../logger.js';
import type { EgressPolicy } from '../network/egress-policy.js';
import { checkPosture } from '../preflight/check-posture.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ContainerEngine, ContainerSpec, EngineContainer, EngineLimits } from './container-engine.js';
import { jobUid, overheadMb, SHIM_DIR, WIPED_DIRECTORIES } from './container-spec.js';
import { KeptProcess } from './kept-process.js';
import { PeakMemoryCounter } from './peak-memory-counter.js';
import { ThrottleLift } from './throttle-lift.js';

export type ContainerState = 'creating' | 'idle' | 'bound' | 'busy' | 'retired' | 'removed';

/** How long a container may take from its start until it is ready, beside the shim's own time. */
const START_TIMEOUT_MS = 20_000;

/** How long code may take to be laid out, beside the shim's own time: this, and what its size adds. */
const BIND_TIMEOUT_MS = 10_000;
const BIND_BYTES_PER_MS = 4 * 2 ** 10;
/** How long a container that waited may take to say that it still does. */
const PING_TIMEOUT_MS = 3_000;

/** What the kernel's own accounting and the next waiting process need on top of what was measured. */
const MEMORY_SLACK_BYTES = 8 * 2 ** 20;

export interface ContainerEvents {
  onState(container: Container, from: ContainerState | undefined, to: ContainerState): void;
}

export class Container {
  readonly runtime: Runtime;
  readonly name: string;
  /** Whether it is on a network that leads outside. */
  readonly outside: boolean;
  /** Size of each of its writable places, in MiB. */
  readonly diskMb: number;
  /** Version of the language, as the shim reported it. */
  runtimeVersion: string | undefined;
  /** What it is bound to; set once. */
  binding: string | undefined;
  /** Monotonic milliseconds at which it last ended a job. */
  lastUsedAt = 0;
  jobsServed = 0;
  /** Monotonic milliseconds at which it was bound. */
  boundAt = 0;
  /** Whether the job in it is why it was retired. */
  faulty = false;
  /** True from the end of a job until the container waits again: a moment. */
  cleaning = false;

  /** The process that it keeps for the next job. */
  readonly kept = new KeptProcess();

  readonly #log: Logger;
  readonly #events: ContainerEvents;
  readonly #peakMemory = new PeakMemoryCounter();
  #state: ContainerState = 'creating';
  /** The engine's work on it: whoever retires it waits for that, or it would be left behind. */
  #creating: Promise<EngineContainer> | undefined;
  #session: SupervisorSession | undefined;
  #limits: EngineLimits = { memoryBytes: 0, cpus: 0, pids: 0 };
  #stderr = '';
  /** Whether its processes are let go after other containers'. */
  #isLast = false;
  #removal: Promise<void> | undefined;
  #cleaned: Promise<void> = Promise.resolve();

  constructor(runtime: Runtime, name: string, outside: boolean, diskMb: number, log: Logger, events: ContainerEvents) {
    this.runtime = runtime;
    this.name = name;
    this.outside = outside;
    this.diskMb = diskMb;
    this.#log = log.child({ container: name });
    this.#events = events;
    events.onState(this, undefined, this.#state);
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** Creates and starts the container, and its waiting process. Removes what it made when it throws. */
  async start(engine: ContainerEngine, spec: ContainerSpec, egress?: EgressPolicy): Promise<void> {
    this.#limits = { memoryBytes: spec.memoryBytes, cpus: spec.cpus, pids: spec.pids };
    // Whoever retired it before had nothing to remove, and would not come again.
    if (this.#state !== 'creating') throw new NanoGridError('NG_CONTAINER_FAILED', 'the worker is stopping');
    try {
      this.#creating = engine.start(spec);
      const engineContainer = await this.#creating;
      if (this.#state !== 'creating') throw new NanoGridError('NG_CONTAINER_FAILED', 'the worker is stopping');
      const session = new SupervisorSession(
        engineContainer,
        (text) => this.#log.debug({ text: text.slice(0, 2000) }, 'supervisor'),
        () => this.#comeLast(engineContainer, true),
      );
      this.#session = session;
      engineContainer.listen({
        onOutput: (chunk) => {
          session.receive(chunk);
          if (session.failure) this.#lost(session.failure);
        },
        onError: (chunk) => {
          this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-2000);
        },
        onEnd: () => {
          session.end(this.#stderr ? `the container ended: ${this.#stderr.trim()}` : undefined);
          this.#lost(session.failure);
        },
      });
      await this.#withTimeout(
        this.#prepare(session, engineContainer, spec, egress),
        START_TIMEOUT_MS + this.#shimTimeMs,
      );
      this.#peakMemory.attach(engineContainer.hostPid, engineContainer.id);
    } catch (error) {
      await this.retire('it could not be started');
      throw NanoGridError.from(error, 'NG_CONTAINER_FAILED');
    }
    // It may have been retired, or have died, while it was starting.
    if (this.#state !== 'creating') throw this.#session.failure ?? new NanoGridError('NG_CONTAINER_FAILED', 'stopped');
    this.#become('idle');
  }

  async #prepare(
    session: SupervisorSession,
    engineContainer: EngineContainer,
    spec: ContainerSpec,
    egress: EgressPolicy | undefined,
  ): Promise<void> {
    const uid = jobUid(this.name);
    try {
      const checkHello = async (hello: ReadonlyMap<number, number>) => {
        checkPosture(hello, spec);
        this.#log.debug({ direct: await engineContainer.shorten(hello) }, 'the way to the supervisor');
      };
      await session.configure({ uid, wipe: WIPED_DIRECTORIES, egress, checkHello });
    } catch (error) {
      const isUnsafe = error instanceof NanoGridError && error.code === 'NG_ENGINE_UNSAFE';
      if (!egress || isUnsafe) throw error;
      throw new NanoGridError('NG_NETWORK_UNSAFE', `the bounds of a network cannot be set: ${messageOf(error)}`, {
        cause: error,
        hint: 'Take the grants of "internet" out of "network.grants", or use the engine’s own OCI runtime on Linux.',
      });
    }
    const { warm } = this.runtime;
    if (!warm) return;
    for (const [name, path] of Object.entries(warm.files)) {
      await session.put('shim', name, await readFile(path), false);
    }
    const command = warm.command.map((argument) => argument.replaceAll('{shim}', SHIM_DIR));
    const env: Record<string, string> = { NANOGRID_PRELOAD: (warm.preload ?? []).join(',') };
    this.runtimeVersion = (await session.startShim(command, env, warm.kind === 'spare')) || undefined;
  }

  get #shimTimeMs(): number {
    return this.runtime.warm ? (this.runtime.warm.startTimeoutMs ?? 30_000) : 0;
  }

  /** Whether a container that was taken still answers; one that does not is retired. */
  async answers(): Promise<boolean> {
    try {
      await this.#withTimeout(this.#active('busy').ping(), PING_TIMEOUT_MS);
      return true;
    } catch {
      void this.retire('it does not answer');
      return false;
    }
  }

  /** Takes a container that waits, idle or bound, for a job. */
  take(): void {
    if (this.#state !== 'idle') this.#active('bound');
    this.#become('busy');
  }

  /** Makes a container that was idle this function version's own: sends the code, and sets the job's limits. */
  async bind(binding: string, code: ExtractedCode, limits: ContainerLimits): Promise<void> {
    const session = this.#active('busy');
    if (this.binding !== undefined) throw new Error('a container is bound once');
    this.binding = binding;
    this.runtimeVersion = code.runtimeVersion ?? this.runtimeVersion;
    try {
      const timeoutMs = BIND_TIMEOUT_MS + this.#shimTimeMs + code.totalBytes / BIND_BYTES_PER_MS;
      await this.#withTimeout(this.#layOut(session, code, limits), timeoutMs);
    } catch (error) {
      void this.retire('its code could not be laid out');
      throw NanoGridError.from(error, 'NG_CONTAINER_FAILED');
    }
  }

  async #layOut(session: SupervisorSession, code: ExtractedCode, limits: ContainerLimits): Promise<void> {
    // The working copy and the pristine one lie in memory; they are the platform's, not the job's.
    const overhead = overheadMb(this.runtime) * 2 ** 20 + 2 * code.totalBytes;
    if (code.totalBytes > 2 ** 20) {
      await this.#setLimits({ ...this.#limits, memoryBytes: this.#limits.memoryBytes + overhead });
    }
    for (const file of code.files) {
      const content = await readFile(join(code.directory, file.path));
      await session.put('code', file.path, content, file.executable);
    }
    for (const folder of code.emptyFolders ?? []) session.putFolder(folder);
    // From outside where it cannot be read inside; a kernel of its own then counts, which the job must not pay for.
    const held = (await session.commitCode()) || ((await this.#creating)?.memoryInUse() ?? 0);
    const { memoryMb, cpus, pids } = limits;
    const memoryBytes = memoryMb * 2 ** 20 + (held > 0 ? held + MEMORY_SLACK_BYTES : overhead);
    await this.#setLimits({ memoryBytes, cpus, pids });
  }

  /** Asks the engine once for everything that changes. */
  async #setLimits(wanted: EngineLimits): Promise<void> {
    const before = this.#limits;
    const limits = { ...wanted, memoryBytes: Math.ceil(wanted.memoryBytes / 2 ** 20) * 2 ** 20 };
    const changes = {
      ...(limits.memoryBytes !== before.memoryBytes && { memoryBytes: limits.memoryBytes }),
      ...(limits.cpus !== before.cpus && { cpus: limits.cpus }),
      ...(limits.pids !== before.pids && { pids: limits.pids }),
    };
    if (Object.keys(changes).length === 0) return;
    await (await this.#creating)?.setLimits(changes);
    this.#limits = limits;
  }

  /** Runs a job in a container that was taken. Resolves when no process of it is left; the clean-up goes on in `settled`. */
  async run(request: RunRequest, sinks: RunSinks, signal: AbortSignal): Promise<RunReport & { peakBytes?: number }> {
    const session = this.#active('busy');
    this.#peakMemory.reset();
    this.jobsServed++;
    let report: RunReport;
    let lifted: boolean | undefined;
    const { timeoutMs, graceMs } = request.spec;
    const engineContainer = await this.#creating;
    const lift =
      engineContainer && new ThrottleLift(engineContainer, this.#limits.cpus, { timeoutMs, graceMs, signal });
    try {
      report = await session.run(request, sinks, signal);
    } catch (error) {
      this.faulty = !signal.aborted;
      void this.retire('it was lost during a job');
      throw await this.#oomOr(session, error);
    } finally {
      lifted = lift?.end();
    }
    this.faulty = report.timedOut || report.oomKills > 0 || report.survivors > 0;
    if (lifted || this.faulty || report.killed) {
      void this.retire('a job ended out of order in it');
    } else if (request.spec.reuse === 'never') {
      void this.retire('it was made for one job');
    } else {
      this.cleaning = true;
      if (engineContainer) this.#comeLast(engineContainer, false);
      const { hygieneUs, collectMs } = report;
      this.#cleaned = session.ready().then((cleanUpUs) => {
        this.#log.debug({ hygieneUs, collectUs: collectMs * 1000, cleanUpUs }, 'cleaned up after a job');
      });
      this.#cleaned.catch(() => {});
    }
    return { ...report, ...this.#peakMemory.read(report) };
  }

  /** After a job: resolves to true when the container is clean and waits again, false when it was retired. */
  async release(now: number): Promise<boolean> {
    try {
      await this.#withTimeout(this.#cleaned, START_TIMEOUT_MS);
    } catch {
      await this.retire('it could not clean up after a job');
    }
    this.cleaning = false;
    this.lastUsedAt = now;
    if (this.#state !== 'busy') return false;
    this.#become('bound');
    return true;
  }

  /** Ends and removes the container. Resolves when the engine has forgotten it; may be called twice. */
  retire(reason: string): Promise<void> {
    this.#removal ??= this.#remove(reason);
    return this.#removal;
  }

  async #remove(reason: string): Promise<void> {
    this.#log.debug({ reason }, 'container retired');
    this.#become('retired');
    this.#session?.end('the container was removed');
    this.#peakMemory.close();
    try {
      const engineContainer = await this.#creating?.catch(() => undefined);
      await engineContainer?.remove();
    } catch (error) {
      this.#log.warn({ err: error }, 'container could not be removed; the next start sweeps it');
    }
    this.#become('removed');
  }

  /** A crowd of processes costs the kernel time that no limit of processors bounds; others should not wait for that. */
  #comeLast(engineContainer: EngineContainer, isLast: boolean): void {
    if (this.#isLast === isLast) return;
    this.#isLast = isLast;
    const done = engineContainer.comeLast(isLast);
    if (isLast) this.#log.debug({ done }, 'a crowd of processes: the container comes last');
  }

  #lost(failure: NanoGridError | undefined): void {
    if (this.#state === 'retired' || this.#state === 'removed') return;
    this.#log.warn({ err: failure }, 'container lost');
    void this.retire('it was lost');
  }

  /** The supervisor itself can be a victim of the job's hunger for memory: then the job failed, not the platform. */
  async #oomOr(session: SupervisorSession, error: unknown): Promise<unknown> {
    // A job may take back that it is to be killed first. Then the supervisor can be gone before it tells.
    const told = session.oomKillsAtEnd > 0 || (await (await this.#creating)?.ranOutOfMemory().catch(() => false));
    if (!told) return error;
    return new NanoGridError('NG_OUT_OF_MEMORY', 'the container ran out of memory', { cause: error });
  }

  #active(state: ContainerState): SupervisorSession {
    if (!this.#session || this.#state !== state) {
      throw this.#session?.failure ?? new NanoGridError('NG_CONTAINER_FAILED', `the container is ${this.#state}`);
    }
    return this.#session;
  }

  #become(to: ContainerState): void {
    const from = this.#state;
    this.#state = to;
    this.#events.onState(this, from, to);
  }

  async #withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
    const timer = setTimeout(() => this.#session?.fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
