import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  type ExecSpec,
  type ExecutionReport,
  type ExtractedCode,
  type Job,
  type JobResult,
  type PluginRegistry,
  silentLogger,
} from '@nanogrid/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AutotunerOptions, autotuner } from './autotuner.js';

const MIB = 2 ** 20;
const success: JobResult = {
  requestId: 'r',
  runtime: 'python',
  status: 'SUCCESS',
  stdout: '',
  stderr: '',
  durationMs: 100,
  phases: { queue: 0, fetch: 0, extract: 0, acquire: 0, build: 0, exec: 1, collect: 0, publish: 0, start: 'warm' },
  peakMemoryBytes: 50 * MIB,
  peakMemorySource: 'cgroup',
  memoryMb: 512,
  outputFiles: [],
  attempt: 1,
};

const ownSpec: ExecSpec = {
  command: undefined,
  entrypoint: 'main.py',
  handler: 'main.handler',
  env: {},
  timeoutMs: 1_000,
  graceMs: 100,
  memoryMb: 512,
  cpus: 0.5,
  input: 'null',
  maxStdoutBytes: 1,
  maxStderrBytes: 1,
  network: 'none',
  reuse: 'container',
  workFiles: [],
};

let dataDir: string;
let plugins: PluginRegistry | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-autotuner-'));
});

afterEach(async () => {
  await plugins?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

interface JobOptions {
  readonly functionId?: string;
  readonly digest?: string;
  readonly outOfMemory?: boolean;
}

async function start(options: AutotunerOptions = {}, role: 'worker' | 'client' = 'worker') {
  const warnings: string[] = [];
  const log = {
    ...silentLogger,
    warn: (_fields: object | string, message?: string) => void warnings.push(message ?? ''),
    child: () => log,
  };
  const hooks = createGuardedHooks({ log });
  plugins = await createPluginHost({
    config: { dataDir, job: { maxMemoryMb: 2_048 } } as CoreConfig,
    hooks,
    log,
    role,
    status: async () => undefined,
    runtimeName: () => undefined,
    plugins: [autotuner(options)],
  });
  await plugins.start();
  const run = async (changed: Partial<JobResult> = {}, job: JobOptions = {}) => {
    const { functionId = 'f', digest = 'd', outOfMemory = false } = job;
    const told = { id: 'r', functionId, code: { bucket: undefined, key: 'k' } } as Job;
    await hooks.afterExtract.promise(told, { digest } as ExtractedCode);
    return hooks.afterExec.promise({ ...success, ...changed }, { outOfMemory } as ExecutionReport, told);
  };
  /** A job with a limit of its own that needs so much: what a worker makes of it. */
  const apply = async (memoryMb: number, peakMb: number, functionId = 'f') => {
    const told = { id: 'r', functionId, code: { bucket: undefined, key: 'k' } } as Job;
    await hooks.afterExtract.promise(told, { digest: 'd' } as ExtractedCode);
    const spec = await hooks.beforeExec.promise({ ...ownSpec, memoryMb }, told);
    const isKilled = (limitMb: number) => peakMb > limitMb;
    const { retryMemoryMb } = spec;
    const isTwice = isKilled(spec.memoryMb) && retryMemoryMb !== undefined;
    const limitMb = isTwice ? retryMemoryMb : spec.memoryMb;
    const failed = isKilled(limitMb) ? { status: 'FAILED' as const } : {};
    const report = {
      outOfMemory: isKilled(limitMb),
      ...(isTwice ? { firstRun: { spec, workFiles: new Map(), durationMs: 1, cpuMs: 1 } } : {}),
    } as ExecutionReport;
    const ran = { ...success, ...failed, memoryMb: limitMb, peakMemoryBytes: Math.min(peakMb, limitMb) * MIB };
    return { spec, result: await hooks.afterExec.promise(ran, report, told) };
  };
  return {
    warnings,
    run,
    apply,
    async applies(count: number, memoryMb: number, peakMb: number) {
      for (let place = 1; place < count; place++) await apply(memoryMb, peakMb);
      return apply(memoryMb, peakMb);
    },
    figures: () => Object.fromEntries((plugins?.figures() ?? []).map(({ name, value }) => [name, value])),
    async runs(count: number, changed?: Partial<JobResult>, job?: JobOptions) {
      for (let place = 1; place < count; place++) await run(changed, job);
      return run(changed, job);
    },
    stop: () => plugins?.stop(),
  };
}

test('a function gets a tip after enough jobs, and the numbers behind it from the first', async () => {
  const { runs, run } = await start({ pricePerGbSecond: 0.001 });
  const early = await runs(19);
  expect(early.tuning).toMatchObject({ verdict: 'collecting', samples: 19, minSamples: 20 });
  expect(early).not.toHaveProperty('optimizationTip');
  const result = await run();
  expect(result.tuning).toMatchObject({ verdict: 'lower', recommendedMemoryMb: 128, samples: 20 });
  // 384 MiB less for 0.1 s, a million times, at 0.001: 37.5.
  expect(result.optimizationTip).toBe(
    'Lower the memory limit from 512 MiB to 128 MiB: the function needs at most 50 MiB, by 20 runs, and this saves about 37.50 USD per million runs.',
  );
});

test('tips are in Korean where that is asked for', async () => {
  const { runs } = await start({ locale: 'ko' });
  expect((await runs(20)).optimizationTip).toMatch(/^메모리 한도를 512 MiB에서 128 MiB로 낮추세요/);
});

test('the default price is AWS Lambda’s for this architecture', async () => {
  const { runs } = await start();
  const price = process.arch.startsWith('arm') ? 0.0000133334 : 0.0000166667;
  expect((await runs(20)).tuning).toMatchObject({ pricePerGbSecond: price, currency: 'USD' });
});

describe('what a job tells', () => {
  test.each<[string, Partial<JobResult>]>([
    ['the largest process alone', { peakMemorySource: 'rusage' }],
    ['a job that failed', { status: 'FAILED' }],
    ['no peak', { peakMemoryBytes: undefined } as never],
  ])('%s: no sample', async (_name, changed) => {
    const { runs } = await start();
    expect((await runs(25, changed)).tuning).toMatchObject({ verdict: 'collecting', samples: 0 });
  });

  test('what a kept process holds is a sample', async () => {
    const { runs } = await start();
    expect((await runs(20, { peakMemorySource: 'cgroup-kept' })).tuning).toMatchObject({ verdict: 'lower' });
  });

  test('a kill raises at once, and takes back what was recommended', async () => {
    const { runs, run } = await start();
    await runs(20);
    const killed = await run({ status: 'FAILED', memoryMb: 128 }, { outOfMemory: true });
    expect(killed.tuning).toMatchObject({ verdict: 'raise', recommendedMemoryMb: 256, killedAtMb: 128 });
    expect((await run()).tuning).toMatchObject({ verdict: 'lower', recommendedMemoryMb: 256 });
  });

  test('is told of its own function and version only', async () => {
    const { runs, run } = await start();
    await runs(20);
    expect((await run({}, { functionId: 'g' })).tuning).toMatchObject({ samples: 1 });
    expect((await run({}, { digest: 'e' })).tuning).toMatchObject({ samples: 1 });
    expect((await run({}, { functionId: '__proto__' })).tuning).toMatchObject({ samples: 1 });
    expect((await run()).tuning).toMatchObject({ samples: 21 });
  });

  test('what other plugins wrote beside it stays', async () => {
    const { run } = await start();
    expect((await run({ tuning: { other: 1 } })).tuning).toMatchObject({ other: 1, samples: 1 });
  });
});

describe('mode apply', () => {
  const options = { mode: 'apply', pricePerGbSecond: 0.001 } as const;

  test('is not the default: nothing is changed', async () => {
    const { applies } = await start();
    const { spec, result } = await applies(25, 512, 50);
    expect(spec).toEqual(ownSpec);
    expect(result.tuning).toMatchObject({ verdict: 'lower', mode: 'advise' });
    expect(result.tuning).not.toHaveProperty('appliedMemoryMb');
  });

  test('gives the next jobs the recommended limit, with a second run at their own, and nothing else', async () => {
    const { applies, apply, figures } = await start(options);
    const last = await applies(20, 512, 50);
    expect(last.spec).toEqual(ownSpec);
    const { spec, result } = await apply(512, 50);
    expect(spec).toEqual({ ...ownSpec, memoryMb: 128, retryMemoryMb: 512 });
    expect(result).toMatchObject({
      memoryMb: 128,
      tuning: { verdict: 'lower', memoryMb: 512, recommendedMemoryMb: 128, appliedMemoryMb: 128, mode: 'apply' },
      optimizationTip:
        'The function now gets 128 MiB of memory instead of 512 MiB: it needs at most 50 MiB, by 21 runs, and this saves about 37.50 USD per million runs.',
    });
    expect(figures()).toMatchObject({ autotuner_applied_jobs_total: 1, autotuner_retried_jobs_total: 0 });
    // 384 MiB for 0.1 s, once.
    expect(figures().autotuner_saved_gb_seconds_total).toBeCloseTo(0.0375, 12);
  });

  test('applies nothing from too few jobs, and says how many there are', async () => {
    const { applies } = await start(options);
    const { spec, result } = await applies(19, 512, 50);
    expect(spec).toEqual(ownSpec);
    expect(result.tuning).toMatchObject({ verdict: 'collecting', samples: 19, minSamples: 20 });
  });

  test('is for each version of a function by itself', async () => {
    const { applies, apply } = await start(options);
    await applies(25, 512, 50);
    expect((await apply(512, 50, 'g')).spec.memoryMb).toBe(512);
    expect((await apply(512, 50)).spec.memoryMb).toBe(128);
  });

  test('takes back what memory ran out under, until as many jobs as ever say otherwise', async () => {
    const { applies, apply, figures } = await start(options);
    await applies(20, 512, 50);
    const { spec, result } = await apply(512, 200);
    expect(spec).toMatchObject({ memoryMb: 128, retryMemoryMb: 512 });
    expect(result).toMatchObject({
      status: 'SUCCESS',
      memoryMb: 512,
      tuning: { verdict: 'withdrawn', killedAtMb: 128, samplesSinceKill: 1, minSamples: 20, samples: 21 },
      optimizationTip:
        'The function gets its own 512 MiB of memory again: the function was killed for want of memory at 128 MiB.',
    });
    for (let job = 1; job < 20; job++) expect((await apply(512, 50)).spec).toEqual(ownSpec);
    // Of the peaks 50 MiB were the most, 200 the largest: 128 would hold the first and not the second, and was too small.
    expect((await apply(512, 50)).spec).toMatchObject({ memoryMb: 256, retryMemoryMb: 512 });
    expect(figures()).toMatchObject({ autotuner_applied_jobs_total: 1, autotuner_retried_jobs_total: 1 });
  });

  test('a recommendation and its end are kept across restarts', async () => {
    const first = await start(options);
    await first.applies(20, 512, 50);
    await first.stop();
    const second = await start(options);
    expect((await second.apply(512, 200)).spec.memoryMb).toBe(128);
    await second.stop();
    const third = await start(options);
    expect((await third.apply(512, 50)).spec).toEqual(ownSpec);
  });

  test('gives a job more than its own limit only where it may', async () => {
    const careful = await start(options);
    expect((await careful.apply(128, 200)).result.status).toBe('FAILED');
    const told = await careful.apply(128, 200);
    expect(told.spec).toEqual({ ...ownSpec, memoryMb: 128 });
    expect(told.result.optimizationTip).toMatch(/^Raise the memory limit from 128 MiB to 256 MiB/);
    await careful.stop();
    await rm(join(dataDir, 'autotuner.json'));
    const bold = await start({ ...options, mayRaise: true });
    await bold.apply(128, 200);
    const { spec, result } = await bold.apply(128, 200);
    expect(spec).toEqual({ ...ownSpec, memoryMb: 256 });
    expect(result).toMatchObject({ status: 'SUCCESS', tuning: { appliedMemoryMb: 256, memoryMb: 128 } });
  });

  test('is no client’s', async () => {
    const { apply } = await start(options, 'client');
    expect((await apply(512, 50)).spec).toEqual(ownSpec);
  });
});

describe('the file', () => {
  const whole = {
    firstMs: 0,
    lastMs: 0,
    samples: 0,
    runs: 0,
    durationMs: 0,
    kills: 0,
    killedAtMb: 0,
    killedMs: 0,
    samplesSinceKill: 0,
    peaks: [],
  };
  const file = () => join(dataDir, 'autotuner.json');

  test('keeps what is known across a restart, and is alone in its folder', async () => {
    const first = await start();
    await first.runs(19);
    await first.stop();
    expect(await readdir(dataDir)).toEqual(['autotuner.json']);
    const second = await start();
    expect((await second.run()).tuning).toMatchObject({ samples: 20, recommendedMemoryMb: 128 });
    await second.stop();
    expect(second.warnings).toEqual([]);
  });

  test.each([
    ['no JSON', '{"version":1,"mod'],
    ['null', 'null'],
    ['another version', '{"version":2,"models":[]}'],
    ['half a model', '{"version":1,"models":[["k",{"samples":1}]]}'],
    ['counts that are none', JSON.stringify({ version: 1, models: [['k', { ...whole, samples: -1 }]] })],
    ['peaks that are none', JSON.stringify({ version: 1, models: [['k', { ...whole, peaks: [[1, 1, '1']] }]] })],
  ])('with %s in it is told of, and replaced', async (_name, content) => {
    await writeFile(file(), content);
    const { run, warnings, stop } = await start();
    expect(warnings).toHaveLength(1);
    await run();
    await stop();
    expect(JSON.parse(await readFile(file(), 'utf8'))).toMatchObject({ version: 1, models: { length: 1 } });
  });

  test('that cannot be written fails no job and no stop', async () => {
    const { run, warnings, stop } = await start();
    await run();
    await rm(dataDir, { recursive: true });
    await writeFile(dataDir, 'a file where the folder was');
    await stop();
    expect(warnings).toEqual(['what is known of the memory of functions could not be written']);
  });

  test('is left alone by a client, and by a worker that ran nothing', async () => {
    await (await start({}, 'client')).stop();
    await (await start()).stop();
    expect(await readdir(dataDir)).toEqual([]);
  });

  test('holds the functions that ran last, and no more', async () => {
    const { run, stop } = await start({ maxFunctions: 2 });
    for (const functionId of ['a', 'b', 'a', 'c']) await run({}, { functionId });
    await stop();
    const { models } = JSON.parse(await readFile(file(), 'utf8')) as { models: [string, unknown][] };
    expect(models.map(([key]) => JSON.parse(key)[1])).toEqual(['a', 'c']);
  });
});

test('a ladder above what jobs may have is refused', async () => {
  await expect(start({ ladder: [4_096] })).rejects.toThrow('Every size of the autotuner is above 2048 MiB.');
});
