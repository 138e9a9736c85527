/** The plugin `autotuner`: tells of each function how much memory it needs, or gives it that. Owns what it knows of jobs under way, and its counts. */

import { join } from 'node:path';
import {
  definePlugin,
  type ExecSpec,
  type ExecutionReport,
  type Job,
  type JobResult,
  NanoGridError,
} from '@nanogrid/core';
import { type AdviceOptions, advise, MIB_PER_GB } from './advise.js';
import type { Run } from './function-model.js';
import { type Knowledge, Models } from './models.js';
import { SharedModels } from './shared-models.js';
import { LOCALES, writeTip } from './write-tip.js';

/** What AWS Lambda takes for a GB-second, in USD, by architecture (its first tier, in most regions). */
const LAMBDA_USD = { x86: 0.0000166667, arm: 0.0000133334 } as const;
/** What becomes of a recommendation. */
const MODES = ['advise', 'apply'] as const;
/** In the worker's data folder. */
const FILE = 'autotuner.json';

/** Options of the plugin, each optional. */
export type AutotunerOptions = NonNullable<Parameters<typeof autotuner>[0]>;

/** `plugins: [autotuner()]`. Puts `tuning` on results, and `optimizationTip` where a limit should change. */
export const autotuner = definePlugin({
  name: '@nanogrid/plugin-autotuner',
  version: '0.1.0',
  core: '^0.1.0',
  scope: 'worker',
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      mode: {
        enum: MODES,
        default: 'advise',
        description: '`advise` changes nothing; `apply` gives the next jobs the recommended size.',
      },
      mayRaise: {
        type: 'boolean',
        default: false,
        description: 'Whether `apply` may give a job more than its own limit, up to `job.maxMemoryMb`.',
      },
      ladder: {
        type: 'array',
        minItems: 1,
        maxItems: 100,
        items: { type: 'integer', minimum: 1 },
        default: [128, 256, 512, 1_024, 1_536, 2_048, 3_072, 4_096, 6_144, 8_192, 10_240],
        description: 'Sizes that may be recommended, in MiB; those above `job.maxMemoryMb` are left out.',
      },
      headroom: {
        type: 'number',
        minimum: 0,
        maximum: 10,
        default: 0.25,
        description: 'Share of the measured need that is added to it.',
      },
      minHeadroomMb: {
        type: 'integer',
        minimum: 0,
        default: 32,
        description: 'The least that is added, in MiB.',
      },
      quantile: {
        type: 'number',
        minimum: 0.5,
        maximum: 1,
        default: 0.99,
        description: 'Share of the jobs whose peaks the need is measured by.',
      },
      minSamples: {
        type: 'integer',
        minimum: 1,
        default: 20,
        description: 'Measured jobs of a function’s version that a recommendation takes.',
      },
      minObservationMs: {
        type: 'integer',
        minimum: 1,
        default: 3_600_000,
        description: 'How long a rate of calls must have been seen before it is told of a month, in milliseconds.',
      },
      halfLifeMs: {
        type: 'integer',
        minimum: 1_000,
        default: 604_800_000,
        description: 'After this time a job counts half, in milliseconds.',
      },
      maxFunctions: {
        type: 'integer',
        minimum: 1,
        maximum: 10_000,
        default: 1_000,
        description: 'Versions of functions that are remembered; the one that ran longest ago gives way.',
      },
      saveEveryMs: {
        type: 'integer',
        minimum: 1_000,
        maximum: 86_400_000,
        default: 60_000,
        description: 'Time between two writes of what is known, in milliseconds.',
      },
      pricePerGbSecond: {
        type: 'number',
        minimum: 0,
        description: 'Price of 1,024 MiB for a second. Default: AWS Lambda’s for this machine’s architecture.',
      },
      currency: {
        type: 'string',
        pattern: '^[A-Z]{3}$',
        mustBe: 'a currency code of three capital letters',
        default: 'USD',
        description: 'Currency of the price.',
      },
      locale: { enum: LOCALES, default: 'en', description: 'Language of the tips.' },
    },
  },
  apply(host, options) {
    const { halfLifeMs, maxFunctions, saveEveryMs, locale, quantile, headroom, minHeadroomMb, currency } = options;
    const { mode, minSamples } = options;
    const applies = { lowers: mode === 'apply', raises: mode === 'apply' && options.mayRaise };
    const kept = { maxFunctions, halfLifeMs, saveEveryMs, log: host.log };
    let models: Knowledge | undefined;
    const advice: AdviceOptions = {
      ladder: allowedSizes(options.ladder, host.config.job.maxMemoryMb),
      quantile,
      headroom,
      minHeadroomMb,
      minSamples,
      minSamplesAfterKill: applies.lowers ? minSamples : 0,
      minObservationMs: options.minObservationMs,
      pricePerGbSecond: options.pricePerGbSecond ?? LAMBDA_USD[process.arch.startsWith('arm') ? 'arm' : 'x86'],
      currency,
    };
    const under = new WeakMap<Job, UnderWay>();
    const counts = { applied: 0, retried: 0, savedGbSeconds: 0 };

    host.hooks.afterExtract.tap('note', (job, { digest }) => {
      const owner = job.functionId ?? `${job.code.bucket ?? ''}/${job.code.key}`;
      const runtime = host.runtimeName(job.runtime) ?? job.runtime;
      under.set(job, { key: JSON.stringify([runtime, owner, digest]), ownMemoryMb: undefined });
    });
    const apply = async (spec: ExecSpec, job: Job): Promise<ExecSpec> => {
      const known = under.get(job);
      if (known === undefined) return spec;
      const { memoryMb } = spec;
      known.ownMemoryMb = memoryMb;
      const model = await models?.find(known.key);
      if (model === undefined) return spec;
      const { verdict, recommendedMemoryMb } = advise(model, memoryMb, advice);
      if (recommendedMemoryMb === undefined) return spec;
      if (verdict === 'raise') return applies.raises ? { ...spec, memoryMb: recommendedMemoryMb } : spec;
      return { ...spec, memoryMb: recommendedMemoryMb, retryMemoryMb: spec.retryMemoryMb ?? memoryMb };
    };
    // A tap that changes nothing would be one more for each job to wait for.
    if (applies.lowers) host.hooks.beforeExec.tapPromise('apply', apply);
    host.hooks.afterExec.tapPromise('advise', async (result, report, job) => {
      const { key, ownMemoryMb = result.memoryMb } = under.get(job) ?? {};
      if (models === undefined || key === undefined) return result;
      const { memoryMb, durationMs } = result;
      const model = await models.add(key, runOf(result, report, Date.now()));
      const tuning = advise(model, ownMemoryMb, advice);
      const isOther = memoryMb !== ownMemoryMb;
      counts.applied += isOther ? 1 : 0;
      counts.retried += report.firstRun === undefined ? 0 : 1;
      counts.savedGbSeconds += (Math.max(0, ownMemoryMb - memoryMb) / MIB_PER_GB) * (durationMs / 1_000);
      const optimizationTip = writeTip(tuning, locale, applies);
      // The result is this tap's own copy.
      result.tuning = { ...result.tuning, ...tuning, mode, ...(isOther ? { appliedMemoryMb: memoryMb } : {}) };
      if (optimizationTip !== undefined) result.optimizationTip = optimizationTip;
      return result;
    });
    host.metric({
      name: 'autotuner_functions',
      kind: 'gauge',
      help: 'Versions of functions whose memory is known.',
      value: () => models?.size ?? 0,
    });
    const counter = (name: string, help: string, value: () => number) =>
      host.metric({ name, kind: 'counter', help, value });
    counter('autotuner_applied_jobs_total', 'Jobs that ran with another limit than their own.', () => counts.applied);
    counter(
      'autotuner_retried_jobs_total',
      'Jobs that ran out of memory under a smaller limit, and ran once more with their own.',
      () => counts.retried,
    );
    counter(
      'autotuner_saved_gb_seconds_total',
      'What smaller limits saved: 1,024 MiB less for a second is one.',
      () => counts.savedGbSeconds,
    );
    // A client runs nothing, and the file has one writer.
    if (host.role !== 'worker') return;
    host.lifecycle({
      async start() {
        const shared = host.service('sharedState');
        models =
          shared === undefined
            ? new Models({ ...kept, path: join(host.config.dataDir, FILE) })
            : new SharedModels({ ...kept, shared });
        await models.open();
      },
      stop: () => models?.close(),
    });
  },
});

/** A job's version is known when its code is, and needed when it ran. */
interface UnderWay {
  readonly key: string;
  /** The limit that it had before this plugin looked at it, in MiB. */
  ownMemoryMb: number | undefined;
}

/** What a job tells of its function. */
function runOf(result: JobResult, { outOfMemory, firstRun }: ExecutionReport, atMs: number): Run {
  const { status, durationMs, memoryMb, peakMemoryBytes, peakMemorySource } = result;
  // A job that failed may have ended before it took what it needs. What a kept process holds counts: the limit is for
  // it, too. The memory of the largest process alone says too little.
  const measured = peakMemorySource === 'cgroup' || peakMemorySource === 'cgroup-kept';
  const telling = status === 'SUCCESS' && measured && !outOfMemory;
  const killedAtMb = outOfMemory ? memoryMb : firstRun?.spec.memoryMb;
  return { atMs, durationMs, killedAtMb, peakBytes: telling ? peakMemoryBytes : undefined };
}

/** From small to large. Throws `NG_CONFIG_INVALID` where none is left. */
function allowedSizes(ladder: readonly number[], maxMemoryMb: number): number[] {
  const sizes = ladder.filter((size) => size <= maxMemoryMb).sort((a, b) => a - b);
  if (sizes.length > 0) return sizes;
  throw new NanoGridError('NG_CONFIG_INVALID', `Every size of the autotuner is above ${maxMemoryMb} MiB.`, {
    hint: 'Give `ladder` a size that jobs may have, or raise `job.maxMemoryMb`.',
  });
}
