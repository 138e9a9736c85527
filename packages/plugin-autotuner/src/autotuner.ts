/** The plugin `autotuner`: tells of each function how much memory it needs. Owns the versions of jobs under way. */

import { join } from 'node:path';
import { definePlugin, type Job, NanoGridError } from '@nanogrid/core';
import { type AdviceOptions, advise } from './advise.js';
import { type Knowledge, Models } from './models.js';
import { SharedModels } from './shared-models.js';
import { LOCALES, writeTip } from './write-tip.js';

/** What AWS Lambda takes for a GB-second, in USD, by architecture (its first tier, in most regions). */
const LAMBDA_USD = { x86: 0.0000166667, arm: 0.0000133334 } as const;
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
    const kept = { maxFunctions, halfLifeMs, saveEveryMs, log: host.log };
    let models: Knowledge | undefined;
    const advice: AdviceOptions = {
      ladder: allowedSizes(options.ladder, host.config.job.maxMemoryMb),
      quantile,
      headroom,
      minHeadroomMb,
      minSamples: options.minSamples,
      minObservationMs: options.minObservationMs,
      pricePerGbSecond: options.pricePerGbSecond ?? LAMBDA_USD[process.arch.startsWith('arm') ? 'arm' : 'x86'],
      currency,
    };
    /** A job's version is known when its code is, and needed when it ran. */
    const digests = new WeakMap<Job, string>();

    host.hooks.afterExtract.tap('note', (job, { digest }) => void digests.set(job, digest));
    host.hooks.afterExec.tapPromise('advise', async (result, { outOfMemory }, job) => {
      if (models === undefined) return result;
      const { status, durationMs, memoryMb, runtime, peakMemoryBytes, peakMemorySource } = result;
      const owner = job.functionId ?? `${job.code.bucket ?? ''}/${job.code.key}`;
      const key = JSON.stringify([runtime, owner, digests.get(job) ?? '']);
      // A job that failed may have ended before it took what it needs. What a kept process holds counts: the limit is for
      // it, too. The memory of the largest process alone says too little.
      const measured = peakMemorySource === 'cgroup' || peakMemorySource === 'cgroup-kept';
      const telling = status === 'SUCCESS' && measured;
      const peakBytes = telling ? peakMemoryBytes : undefined;
      const run = { atMs: Date.now(), durationMs, memoryMb, killed: outOfMemory, peakBytes };
      const model = await models.add(key, run);
      const tuning = advise(model, memoryMb, advice);
      const optimizationTip = writeTip(tuning, locale);
      return {
        ...result,
        tuning: { ...result.tuning, ...tuning },
        ...(optimizationTip === undefined ? {} : { optimizationTip }),
      };
    });
    host.metric({
      name: 'autotuner_functions',
      kind: 'gauge',
      help: 'Versions of functions whose memory is known.',
      value: () => models?.size ?? 0,
    });
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

/** From small to large. Throws `NG_CONFIG_INVALID` where none is left. */
function allowedSizes(ladder: readonly number[], maxMemoryMb: number): number[] {
  const sizes = ladder.filter((size) => size <= maxMemoryMb).sort((a, b) => a - b);
  if (sizes.length > 0) return sizes;
  throw new NanoGridError('NG_CONFIG_INVALID', `Every size of the autotuner is above ${maxMemoryMb} MiB.`, {
    hint: 'Give `ladder` a size that jobs may have, or raise `job.maxMemoryMb`.',
  });
}
