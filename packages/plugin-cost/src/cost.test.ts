import {
  createGuardedHooks,
  createPluginHost,
  definePlugin,
  type ExecutionReport,
  encodeResult,
  type Job,
  type JobResult,
  type LlmCost,
  type Plugin,
  silentLogger,
} from '@nanogrid/core';
import { expect, onTestFinished, test } from 'vitest';
import { type CostOptions, cost } from './cost.js';
import { LAMBDA_PRICES, lambdaPrice } from './lambda-price.js';

type FirstRun = NonNullable<ExecutionReport['firstRun']>;

const ran: JobResult = {
  requestId: 'r',
  runtime: 'python',
  status: 'SUCCESS',
  stdout: '',
  stderr: '',
  durationMs: 260,
  phases: { queue: 0, fetch: 0, extract: 0, acquire: 0, build: 0, exec: 1, collect: 0, publish: 0, start: 'warm' },
  cpuMs: 40,
  memoryMb: 512,
  outputFiles: [],
  attempt: 1,
};
const llmUsage = { promptTokens: 1_000, completionTokens: 500, totalTokens: 1_500, calls: 1, byModel: {} };
const llmCost: LlmCost = { currency: 'USD', total: 0.0004, byModel: {} };

async function start(options: CostOptions, others: Plugin[] = []) {
  const hooks = createGuardedHooks({ log: silentLogger });
  const log = { ...silentLogger, child: () => log };
  const plugins = [cost(options), ...others];
  const registry = await createPluginHost({
    config: {} as never,
    hooks,
    log,
    status: async () => undefined,
    runtimeName: () => undefined,
    plugins,
  });
  onTestFinished(() => registry.stop());
  const run = (result: Partial<JobResult> = {}, bytesOut = 0, firstRun?: FirstRun) =>
    hooks.afterExec.promise({ ...ran, ...result }, { bytesOut, firstRun } as ExecutionReport, {} as Job);
  const metric = (name: string) => registry.figures().find((figure) => figure.name === name)?.value;
  return { run, metric };
}

test('without prices a job costs nothing, and the result tells what it used and what Lambda would have charged', async () => {
  const { run } = await start({});
  expect((await run({}, 300)).cost).toEqual({
    currency: 'USD',
    total: 0,
    request: 0,
    cpu: { seconds: 0.04, cost: 0 },
    memory: { gbSeconds: 0.13, cost: 0 },
    out: { bytes: 300, cost: 0 },
    // 0.13 GB-seconds x 0.0000166667 + 0.0000002
    lambda: { architecture: 'x86_64', billedMs: 260, memoryMb: 512, gbSeconds: 0.13, cost: 0.000002366671 },
  });
});

test('each part has its price, and the total is their sum', async () => {
  const prices = {
    cpuSecond: 0.5,
    gbSecond: 0.2,
    gbOut: 4,
    request: 0.001,
    promptPerMillion: 2,
    completionPerMillion: 10,
  };
  const { run, metric } = await start({ currency: 'EUR', ...prices });
  const { cost: told } = await run({ llmUsage }, 2 ** 30 / 4);
  expect(told).toMatchObject({
    currency: 'EUR',
    request: 0.001,
    cpu: { cost: 0.02 },
    memory: { cost: 0.026 },
    out: { cost: 1 },
    tokens: { total: 1_500, cost: 0.007 },
    total: 1.054,
  });
  await run({ llmUsage }, 2 ** 30 / 4);
  expect(metric('cost_money_total')).toBeCloseTo(2.108, 9);
  expect(metric('cost_cpu_seconds_total')).toBeCloseTo(0.08, 9);
  expect(metric('cost_gb_seconds_total')).toBe(0.26);
  expect(metric('cost_out_bytes_total')).toBe(2 ** 29);
  expect(metric('cost_lambda_money_total')).toBeCloseTo(2 * (told?.lambda.cost ?? 0), 15);
});

test('what metering says that the tokens cost counts, whichever plugin is first; in another currency it does not', async () => {
  const metering = definePlugin({
    name: 'metering',
    version: '1.0.0',
    core: '^0.1.0',
    optionsSchema: { type: 'object', properties: {} },
    apply(host) {
      host.hooks.afterExec.tap('meter', (result) => ({ ...result, llmUsage, llmCost }));
    },
  });
  const one = await start({ promptPerMillion: 2 }, [metering()]);
  expect((await one.run()).cost).toMatchObject({ tokens: { total: 1_500, cost: 0.0004 }, total: 0.0004 });
  const other = await start({ promptPerMillion: 2, currency: 'KRW' }, [metering()]);
  expect((await other.run()).cost).toMatchObject({ tokens: { total: 1_500, cost: 0.002 }, total: 0.002 });
});

test('a job that was run twice costs both runs, and Lambda’s price is of the one that counts', async () => {
  const { run } = await start({ cpuSecond: 1, gbSecond: 1 });
  const once = await run();
  const twice = await run({}, 0, { durationMs: 100, cpuMs: 10, spec: { memoryMb: 256 } } as FirstRun);
  expect(twice.cost).toMatchObject({ cpu: { seconds: 0.05 }, memory: { gbSeconds: 0.155 }, total: 0.205 });
  expect(twice.cost?.lambda).toEqual(once.cost?.lambda);
});

test('a job that failed cost what it used, and one whose time was not measured costs no processor', async () => {
  const { run } = await start({ cpuSecond: 1, gbSecond: 1 });
  const { cpuMs: _unknown, ...rest } = ran;
  expect((await run({ status: 'FAILED' })).cost?.total).toBe(0.17);
  expect((await run({ ...rest, cpuMs: undefined as never })).cost?.total).toBe(0.13);
});

test.each([
  // Duration, memory, billed time, billed memory, x86, arm.
  [0, 128, 1, 128, 0.000000202083, 0.000000201667],
  [0.2, 64, 1, 128, 0.000000202083, 0.000000201667],
  [1, 128, 1, 128, 0.000000202083, 0.000000201667],
  [1.001, 128.5, 2, 129, 0.000000204199, 0.000000203359],
  [999.1, 1024, 1_000, 1_024, 0.0000168667, 0.0000135334],
  [60_000, 10_240, 60_000, 10_240, 0.01000022, 0.00800024],
])('Lambda bills %d ms of %d MB as %d ms of %d MB', (durationMs, memoryMb, billedMs, billedMb, x86, arm) => {
  const x86Price = lambdaPrice({ durationMs, memoryMb }, 'x86_64', LAMBDA_PRICES.x86_64);
  expect(x86Price).toMatchObject({ architecture: 'x86_64', billedMs, memoryMb: billedMb, cost: x86 });
  expect(lambdaPrice({ durationMs, memoryMb }, 'arm64', LAMBDA_PRICES.arm64).cost).toBe(arm);
});

test('Lambda’s prices are those of the architecture, or the operator’s own', async () => {
  const arm = await start({ lambda: { architecture: 'arm64' } });
  expect((await arm.run()).cost?.lambda).toMatchObject({ architecture: 'arm64', cost: 0.000001933342 });
  const own = await start({ lambda: { gbSecond: 8, request: 1 } });
  expect((await own.run()).cost?.lambda.cost).toBe(2.04);
});

test('both dialects have it', async () => {
  const { run } = await start({ gbSecond: 1 });
  const result = await run({ llmUsage }, 7);
  expect(encodeResult(result, 'camel').cost).toEqual(result.cost);
  expect(encodeResult(result, 'snake').cost).toEqual({
    currency: 'USD',
    total: 0.13,
    request: 0,
    cpu: { seconds: 0.04, cost: 0 },
    memory: { gb_seconds: 0.13, cost: 0.13 },
    out: { bytes: 7, cost: 0 },
    tokens: { total: 1_500, cost: 0 },
    lambda: { architecture: 'x86_64', billed_ms: 260, memory_mb: 512, gb_seconds: 0.13, cost: 0.000002366671 },
  });
  expect(encodeResult(ran, 'snake')).not.toHaveProperty('cost');
});
