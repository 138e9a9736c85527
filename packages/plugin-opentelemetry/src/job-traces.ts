/** Notes when the stages of each job were, and hands the job on for its spans when it ends. Owns what is noted of the jobs that run. */

import type { Job, JobResult, StageEnd } from '@nanogrid/core';
import { TraceFlags } from '@opentelemetry/api';
import type { JobIdentity, TraceContexts } from './trace-context.js';

/** A span below the job's. */
export interface StageTimes {
  readonly name: string;
  /** Unix milliseconds, with a fraction. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: string;
}

/** What of a result its span tells. */
export type ResultFacts = Readonly<
  Pick<JobResult, 'status' | 'errorCode' | 'durationMs' | 'memoryMb' | 'peakMemoryBytes' | 'cpuMs' | 'runtimeVersion'>
> &
  Readonly<Pick<JobResult['phases'], 'exec' | 'extract' | 'start'>> & {
    readonly promptTokens: number | undefined;
    readonly completionTokens: number | undefined;
  };

/** All that the spans of a job are made of: a job's input and a result's output, which may be large, are not kept until then. */
export interface EndedJob extends Pick<Job, 'id' | 'functionId' | 'runtime' | 'attempt'> {
  readonly identity: JobIdentity;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly stages: readonly StageTimes[];
  /** What became of the message. */
  readonly outcome: string;
  /** Undefined where the job had no result. */
  readonly result: ResultFacts | undefined;
}

interface JobTrace {
  /** Undefined until somebody asks for it. */
  identity: JobIdentity | undefined;
  readonly stages: StageTimes[];
  result: ResultFacts | undefined;
}

export class JobTraces {
  readonly #contexts: TraceContexts;
  readonly #take: (job: EndedJob) => void;
  /** By the job of one delivery; it goes with it. */
  readonly #traces = new WeakMap<Job, JobTrace>();

  /** `take` gets each job that has ended and is to be recorded. */
  constructor(contexts: TraceContexts, take: (job: EndedJob) => void) {
    this.#contexts = contexts;
    this.#take = take;
  }

  /** The span of a job that runs, for whoever continues its trace; undefined for a job that is not known. */
  traceparent(job: Job): string | undefined {
    const known = this.#traces.get(job);
    return known && this.#identify(job, known).traceparent;
  }

  /** What became of the job is known. */
  finish(job: Job, result: Readonly<JobResult>): void {
    const known = this.#traces.get(job);
    if (known !== undefined) known.result = factsOf(result);
  }

  endStage({ job, stage, startedAt, durationMs, outcome }: StageEnd): void {
    // What is no valid job has no trace.
    if (job === undefined) return;
    let known = this.#traces.get(job);
    if (known === undefined) {
      known = { identity: undefined, stages: [], result: undefined };
      this.#traces.set(job, known);
    }
    known.stages.push({ name: stage, startedAt, durationMs, outcome });
    if (stage === 'settle') this.#end(job, known, { startedAt, durationMs, outcome });
  }

  #identify(job: Job, known: JobTrace): JobIdentity {
    known.identity ??= this.#contexts.begin(job.traceparent);
    return known.identity;
  }

  #end(job: Job, known: JobTrace, settle: Pick<StageEnd, 'startedAt' | 'durationMs' | 'outcome'>): void {
    this.#traces.delete(job);
    const identity = this.#identify(job, known);
    if (identity.context.traceFlags !== TraceFlags.SAMPLED) return;
    const { id, functionId, runtime, attempt } = job;
    const { stages, result } = known;
    const receivedAt = stages[0]?.startedAt ?? settle.startedAt;
    const sentAt = waitedSince(job, receivedAt);
    const waited =
      sentAt === undefined
        ? []
        : [{ name: 'queue', startedAt: sentAt, durationMs: receivedAt - sentAt, outcome: 'done' }];
    this.#take({
      identity,
      id,
      functionId,
      runtime,
      attempt,
      startedAt: sentAt ?? receivedAt,
      endedAt: settle.startedAt + settle.durationMs,
      stages: [...waited, ...stages.flatMap((end) => timesOf(end, result?.extract ?? 0))],
      outcome: settle.outcome,
      result,
    });
  }
}

/** Of `fetch` the time after the code came is a stage of its own. */
function timesOf(end: StageTimes, extractMs: number): StageTimes | StageTimes[] {
  const { name, startedAt, durationMs, outcome } = end;
  // What became of the message is the job's, unless the queue could not be told.
  if (name === 'settle') return outcome === 'failed' ? end : { ...end, outcome: 'done' };
  const ofExtract = name === 'fetch' ? Math.min(extractMs, durationMs) : 0;
  if (ofExtract <= 0) return end;
  const extractAt = startedAt + durationMs - ofExtract;
  return [
    { name, startedAt, durationMs: durationMs - ofExtract, outcome },
    { name: 'extract', startedAt: extractAt, durationMs: ofExtract, outcome: 'done' },
  ];
}

/** When the message was sent, where it has waited since: one that came again has not all the time, and clocks of two machines differ. */
function waitedSince({ attempt, sentAt }: Job, receivedAt: number): number | undefined {
  return attempt === 1 && sentAt !== undefined && sentAt < receivedAt ? sentAt : undefined;
}

function factsOf(result: Readonly<JobResult>): ResultFacts {
  const { status, errorCode, durationMs, memoryMb, peakMemoryBytes, cpuMs, runtimeVersion, phases, llmUsage } = result;
  return {
    status,
    errorCode,
    durationMs,
    memoryMb,
    peakMemoryBytes,
    cpuMs,
    runtimeVersion,
    exec: phases.exec,
    extract: phases.extract,
    start: phases.start,
    promptTokens: llmUsage?.promptTokens,
    completionTokens: llmUsage?.completionTokens,
  };
}
