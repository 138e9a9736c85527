import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
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
  return {
    warnings,
    run,
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

describe('the file', () => {
  const whole = { firstMs: 0, lastMs: 0, samples: 0, runs: 0, durationMs: 0, kills: 0, killedAtMb: 0, peaks: [] };
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
