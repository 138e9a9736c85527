/**
 * Knows, wherever code runs for a job, which job that is and in which stage: every line that is logged there says so,
 * a plugin's and a deep part's too. Owns the record of each job that runs.
 *
 * What outlives the job that caused it (a container made ahead, a timer) must begin with `outside`, or its lines would
 * name that job for ever.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Job } from './job.js';
import type { LogFn, Logger } from './logger.js';
import type { Stage, StageListener } from './stage.js';

const DONE = 'done';

/** What every line of a job carries. */
interface JobFields {
  jobId?: string;
  functionId?: string;
  /** What the controller calls the request that caused the job. */
  requestId?: string;
  traceId?: string;
  stage: Stage;
}

interface JobRecord {
  readonly fields: JobFields;
  /** Undefined until the message is known to be a valid job. */
  job: Job | undefined;
  /** Unix milliseconds when the monotonic clock was 0, as the job began. */
  readonly epoch: number;
  /** When the stage began, in monotonic milliseconds. */
  since: number;
  /** What the stage's line will say. */
  outcome: string;
}

export class JobContext {
  readonly #storage = new AsyncLocalStorage<JobRecord | undefined>();
  readonly #now: () => number;
  readonly #listeners: StageListener[] = [];
  /** Lines that are written through it carry the fields of the job that runs, where one does. */
  readonly log: Logger;

  /** `now`: monotonic milliseconds. */
  constructor(log: Logger, now: () => number) {
    this.#now = now;
    this.log = this.#wrap(log);
  }

  /** Calls `work` for one delivery, of which no more is known yet. */
  run<T>(work: () => T): T {
    const since = this.#now();
    const fields: JobFields = { stage: 'receive' };
    return this.#storage.run({ fields, job: undefined, epoch: Date.now() - since, since, outcome: DONE }, work);
  }

  /** Calls `work` for no job, though one may have caused it. */
  outside<T>(work: () => T): T {
    return this.#storage.run(undefined, work);
  }

  /** Which job it is is known now. */
  identify(jobId: string | undefined, functionId: string | undefined): void {
    const fields = this.#storage.getStore()?.fields;
    if (fields === undefined) return;
    if (jobId !== undefined) fields.jobId = jobId;
    if (functionId !== undefined) fields.functionId = functionId;
  }

  /** Calls `listener` as each stage of each job ends, outside of the job. It may not throw. */
  onStageEnd(listener: StageListener): void {
    this.#listeners.push(listener);
  }

  /** The message is a valid job. `queueMs`: how long it waited. */
  accept(job: Job, queueMs: number): void {
    const { id, functionId, runtime, attempt, correlationId, traceparent } = job;
    const record = this.#storage.getStore();
    if (record !== undefined) record.job = job;
    this.identify(id, functionId);
    const fields = record?.fields;
    if (fields !== undefined && correlationId !== undefined) fields.requestId = correlationId;
    if (fields !== undefined && traceparent !== undefined) fields.traceId = traceparent.slice(3, 35);
    this.log.info({ outcome: 'accepted', runtime, attempt, queueMs }, 'job accepted');
  }

  /** The stage ends otherwise than well. */
  fail(outcome: string = 'failed'): void {
    const record = this.#storage.getStore();
    if (record !== undefined) record.outcome = outcome;
  }

  /** The stage before ends, and this one begins. */
  enter(stage: Stage): void {
    const record = this.#storage.getStore();
    if (record === undefined) return;
    this.leave();
    record.fields.stage = stage;
    record.since = this.#now();
    record.outcome = DONE;
  }

  /** The stage ends, and with it the job. */
  leave(outcome?: string): void {
    const record = this.#storage.getStore();
    if (record === undefined) return;
    const isLogged = this.log.isLevelEnabled?.('debug') !== false;
    if (!isLogged && this.#listeners.length === 0) return;
    const ms = Math.round((this.#now() - record.since) * 1000) / 1000;
    const ended = outcome ?? record.outcome;
    if (isLogged) this.log.debug({ outcome: ended, ms }, 'stage ended');
    if (this.#listeners.length > 0) this.#tell(record, ms, ended);
  }

  #tell({ job, fields: { stage }, epoch, since }: JobRecord, durationMs: number, outcome: string): void {
    // What a listener starts, a timer for one, outlives the job.
    this.outside(() => {
      for (const listener of this.#listeners) listener({ job, stage, startedAt: epoch + since, durationMs, outcome });
    });
  }

  #wrap(log: Logger): Logger {
    const writer =
      (level: 'trace' | 'debug' | 'info' | 'warn' | 'error'): LogFn =>
      (first: object | string, message?: string) => {
        if (log.isLevelEnabled?.(level) === false) return;
        const fields = this.#storage.getStore()?.fields;
        if (typeof first === 'string') {
          if (fields === undefined) log[level](first);
          else log[level]({ ...fields }, first);
        } else {
          // Spread, an error would lose what it says.
          const own = first instanceof Error ? { err: first } : first;
          log[level](fields === undefined ? own : { ...fields, ...own }, message);
        }
      };
    return {
      trace: writer('trace'),
      debug: writer('debug'),
      info: writer('info'),
      warn: writer('warn'),
      error: writer('error'),
      child: (bindings) => this.#wrap(log.child(bindings)),
      isLevelEnabled: (level) => log.isLevelEnabled?.(level) ?? true,
    };
  }
}
