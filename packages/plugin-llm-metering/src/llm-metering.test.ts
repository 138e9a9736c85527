import {
  createGuardedHooks,
  createPluginHost,
  definePlugin,
  type ExecSpec,
  type ExecutionReport,
  encodeResult,
  type Job,
  type JobResult,
  type LogFn,
  type Plugin,
  type PluginRegistry,
  type ResultStore,
  type SharedState,
  silentLogger,
} from '@nanogrid/core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type LlmMeteringOptions, llmMetering, USAGE_FILE } from './llm-metering.js';

const CALL = '{"model":"llama3:8b","prompt_eval_count":1000,"eval_count":500}\n';
const prices = [
  { model: 'llama3*', promptPerMillion: 0.1, completionPerMillion: 0.2 },
  { model: 'gpt-*', promptPerMillion: 2.5, completionPerMillion: 10 },
];
const empty: JobResult = {
  requestId: 'r',
  runtime: 'python',
  status: 'SUCCESS',
  stdout: '',
  stderr: '',
  durationMs: 1,
  phases: { queue: 0, fetch: 0, extract: 0, acquire: 0, build: 0, exec: 1, collect: 0, publish: 0, start: 'warm' },
  memoryMb: 128,
  outputFiles: [],
  attempt: 1,
};
const spec: ExecSpec = {
  command: ['python3', 'main.py'],
  entrypoint: 'main.py',
  handler: undefined,
  env: {},
  timeoutMs: 1_000,
  graceMs: 100,
  memoryMb: 64,
  cpus: 1,
  input: 'null',
  maxStdoutBytes: 1,
  maxStderrBytes: 1,
  network: 'none',
  reuse: 'container',
  workFiles: [{ path: 'another', maxBytes: 1 }],
};

let plugins: PluginRegistry | undefined;

afterEach(async () => {
  vi.useRealTimers();
  await plugins?.stop();
});

/** Values of this process that can be made to fail. */
function sharing() {
  const values = new Map<string, number>();
  const state = { failing: false, values };
  const fail = () => {
    if (state.failing) throw new Error('the shared state is away');
  };
  const shared: Partial<SharedState> = {
    async get(key) {
      fail();
      return values.get(key)?.toString();
    },
    async increment(key, by) {
      fail();
      values.set(key, (values.get(key) ?? 0) + by);
      return values.get(key) ?? 0;
    },
  };
  const plugin = definePlugin({
    name: 'sharing',
    version: '1.0.0',
    core: '^0.1.0',
    provides: ['sharedState'],
    optionsSchema: { type: 'object', properties: {} },
    apply: (host) => host.provide('sharedState', shared as SharedState),
  });
  return { state, plugin: plugin() };
}

async function start(options: LlmMeteringOptions, others: Plugin[] = [], warn: LogFn = () => {}) {
  const hooks = createGuardedHooks({ log: silentLogger });
  const log = { ...silentLogger, warn, child: () => log };
  plugins = await createPluginHost({
    config: {} as never,
    hooks,
    log,
    status: async () => undefined,
    runtimeName: () => undefined,
    plugins: [llmMetering(options), ...others],
  });
  await plugins.start();
  const registry = plugins;
  return {
    metric: (name: string) => registry.figures().find((figure) => figure.name === name)?.value,
    /** Runs a job that leaves this file. */
    async run(
      content: string | Uint8Array | undefined,
      functionId: string | undefined = 'f',
      tenant?: string,
      before?: string,
    ) {
      const job = { id: 'r', functionId, tenant, attempt: 2, code: { bucket: undefined, key: 'code.zip' } } as Job;
      const asked = await hooks.beforeExec.promise(spec, job);
      const filesOf = (text: string | Uint8Array | undefined) =>
        new Map(text === undefined ? [] : [[USAGE_FILE, Buffer.from(text)]]);
      const firstRun = { spec: asked, workFiles: filesOf(before), durationMs: 1, cpuMs: 1 };
      const report: ExecutionReport = {
        spec: asked,
        workFiles: filesOf(content),
        outOfMemory: false,
        timedOut: false,
        bytesOut: 0,
        ...(before === undefined ? {} : { firstRun }),
      };
      return { asked, result: await hooks.afterExec.promise(empty, report, job) };
    },
  };
}

describe('usage', () => {
  test('is on the result of the job that left it, and on no other', async () => {
    const { run } = await start({});
    const { result, asked } = await run(CALL);
    const counts = { promptTokens: 1_000, completionTokens: 500, totalTokens: 1_500, calls: 1 };
    expect(result).toEqual({ ...empty, llmUsage: { ...counts, byModel: { 'llama3:8b': counts } } });
    expect(asked.workFiles).toEqual([
      { path: 'another', maxBytes: 1 },
      { path: '.llm_usage_stats.jsonl', maxBytes: 2 ** 20 + 1 },
    ]);
    expect((await run(undefined)).result).toEqual(empty);
    expect((await run('{}\n')).result).toEqual(empty);
  });

  test('of a first run, for which the memory was too little, counts as well', async () => {
    const { run } = await start({});
    const twice = { calls: 2, totalTokens: 3_000, byModel: { 'llama3:8b': { calls: 2, promptTokens: 2_000 } } };
    expect((await run(CALL, 'f', undefined, CALL)).result.llmUsage).toMatchObject(twice);
    expect((await run(undefined, 'f', undefined, CALL)).result.llmUsage).toMatchObject({
      calls: 1,
      totalTokens: 1_500,
    });
  });

  test('that was not taken as it is shows in the figures', async () => {
    const { run, metric } = await start({ maxBytes: 1_000, maxTokensPerCall: 100 });
    await run(`${CALL}{"eval_count":-1}\n[]\n`);
    await run(Buffer.alloc(1_001));
    expect(metric('llm_usage_calls_total')).toBe(1);
    expect(metric('llm_usage_ignored_lines_total')).toBe(2);
    expect(metric('llm_usage_clamped_calls_total')).toBe(1);
    expect(metric('llm_usage_cut_files_total')).toBe(1);
  });
});

describe('prices', () => {
  test('make a cost of it, by the first that matches', async () => {
    const { run } = await start({ prices: [...prices, { model: '*', promptPerMillion: 9, completionPerMillion: 9 }] });
    const { result } = await run(`${CALL}{"model":"gpt-4o","usage":{"prompt_tokens":40,"completion_tokens":7}}\n`);
    // 1000 x 0.1 + 500 x 0.2 = 200 millionths; 40 x 2.5 + 7 x 10 = 170 millionths.
    expect(result.llmCost).toEqual({
      currency: 'USD',
      total: 0.00037,
      byModel: { 'llama3:8b': 0.0002, 'gpt-4o': 0.00017 },
    });
  });

  test('say which models have none', async () => {
    const { run } = await start({ prices, currency: 'KRW' });
    const { result } = await run(`${CALL}${CALL.replace('llama3:8b', '__proto__')}`);
    expect(result.llmCost).toEqual({
      currency: 'KRW',
      total: 0.0002,
      byModel: { 'llama3:8b': 0.0002 },
      unpricedModels: ['__proto__'],
    });
  });
});

describe('events', () => {
  const fields = {
    jobId: 'r',
    functionId: 'f',
    at: '2026-03-01T23:00:00.000Z',
    attempt: '2',
    calls: '1',
    promptTokens: '1000',
    completionTokens: '500',
    totalTokens: '1500',
    byModel: '{"llama3:8b":{"promptTokens":1000,"completionTokens":500,"totalTokens":1500,"calls":1}}',
  };

  test('are beside the result of each job that used anything, where they are asked for', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(new Date('2026-03-01T23:00:00Z'));
    const { run } = await start({ events: {} });
    const { result } = await run(CALL);
    expect(result.events).toEqual([{ stream: 'llm-usage', maxLength: 1_000_000, fields }]);
    expect((await run(undefined)).result).toEqual(empty);
    await plugins?.stop();
    const priced = await start({ events: { stream: 'billing', maxLength: 10 }, prices });
    const { result: told } = await priced.run(CALL, 'f', 'acme');
    const more = { tenant: 'acme', currency: 'USD', cost: '0.0002' };
    expect(told.events).toEqual([{ stream: 'billing', maxLength: 10, fields: { ...fields, ...more } }]);
    for (const dialect of ['camel', 'snake'] as const) expect(encodeResult(told, dialect)).not.toHaveProperty('events');
    await plugins?.stop();
    expect((await (await start({})).run(CALL)).result).not.toHaveProperty('events');
  });

  test.each([true, false])(
    'where the store of results keeps streams (%s) or not: the doctor and the log say so',
    async (keepsStreams) => {
      const warn = vi.fn();
      const storing = definePlugin({
        name: 'storing',
        version: '1.0.0',
        core: '^0.1.0',
        provides: ['resultStore'],
        optionsSchema: { type: 'object', properties: {} },
        apply: (host) => host.provide('resultStore', { keepsStreams } as ResultStore),
      });
      await start({ events: {} }, [storing()], warn);
      expect(warn).toHaveBeenCalledTimes(keepsStreams ? 0 : 1);
      expect(await plugins?.diagnose()).toMatchObject([
        { name: 'LLM usage events', status: keepsStreams ? 'ok' : 'fail' },
      ]);
    },
  );
});

describe('budgets', () => {
  const clock = (time: string) => vi.setSystemTime(new Date(time));
  const refused = { code: 'NG_BUDGET_EXCEEDED', side: 'user', retryable: false };

  test('refuse the job after the one that spent it, until the next day', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    clock('2026-03-01T23:00:00Z');
    const { run, metric } = await start({ budgets: [{ function: 'report-*', tokens: 3_000 }] });
    await run(CALL, 'report-a');
    await run(CALL, 'report-a');
    const refusal = run(CALL, 'report-a');
    await expect(refusal).rejects.toMatchObject(refused);
    await expect(refusal).rejects.toThrow(
      'the function "report-a" has spent its LLM budget of this day: 3000 of 3000 tokens',
    );
    await expect(refusal).rejects.toHaveProperty(
      'hint',
      'Send it again after 2026-03-02T00:00:00.000Z, or raise the budget of "report-*".',
    );
    expect(metric('llm_budget_refusals_total')).toBe(1);
    await run(CALL, 'report-b');
    for (let job = 0; job < 3; job++) await run(CALL, 'free');
    clock('2026-03-02T00:00:00Z');
    await run(CALL, 'report-a');
  });

  test('of money count by the prices', async () => {
    const { run } = await start({ prices, budgets: [{ function: '*', window: 'hour', cost: 0.0004 }] });
    await run(CALL);
    await run(CALL);
    await expect(run(CALL)).rejects.toMatchObject(refused);
    await expect(run(CALL)).rejects.toThrow('LLM budget of this hour: 0.0004 of 0.0004 USD');
  });

  test('of 0 refuse every job', async () => {
    const { run } = await start({ budgets: [{ function: 'f', tokens: 0 }] });
    await expect(run(CALL)).rejects.toMatchObject(refused);
  });

  test('are for the first pattern that matches, and for code where there is no function', async () => {
    const { run } = await start({
      budgets: [
        { function: 'f', tokens: 1_000_000 },
        { function: '*', tokens: 1 },
      ],
    });
    await run(CALL);
    await run(CALL);
    await run(CALL, undefined);
    // A function may be called like another one's code.
    await run(CALL, '/code.zip');
  });

  test('of a tenant are spent by all of its functions, and by nobody else', async () => {
    const { run, metric } = await start({ budgets: [{ tenant: 'acme*', tokens: 3_000 }] });
    await run(CALL, 'f', 'acme');
    await run(CALL, 'g', 'acme');
    const refusal = run(CALL, 'h', 'acme');
    await expect(refusal).rejects.toMatchObject(refused);
    await expect(refusal).rejects.toThrow(
      'the tenant "acme" has spent its LLM budget of this day: 3000 of 3000 tokens',
    );
    await expect(refusal).rejects.toHaveProperty('hint', expect.stringContaining('raise the budget of "acme*"'));
    expect(metric('llm_budget_refusals_total')).toBe(1);
    await run(CALL, 'f', 'acme-labs');
    for (let job = 0; job < 3; job++) await run(CALL, 'acme');
    for (let job = 0; job < 3; job++) await run(CALL, 'f', 'other');
  });

  test('of function and tenant both count, each for itself', async () => {
    const { run } = await start({
      budgets: [
        { tenant: 'acme', tokens: 4_000 },
        { function: 'f', tokens: 1_500 },
      ],
    });
    await run(CALL, 'f', 'acme');
    await expect(run(CALL, 'f', 'acme')).rejects.toThrow('the function "f" has spent');
    // A function's sum does not depend on whose it is; what was refused has spent nothing.
    await expect(run(CALL, 'f', 'other')).rejects.toThrow('the function "f" has spent');
    await run(CALL, 'g', 'acme');
    await run(CALL, 'g', 'acme');
    await expect(run(CALL, 'g', 'acme')).rejects.toThrow(
      'the tenant "acme" has spent its LLM budget of this day: 4500',
    );
    // A function may be called like a tenant.
    await run(CALL, 'tenant:acme');
  });

  test('are shared where there is a shared state', async () => {
    const { plugin, state } = sharing();
    const one = await start({ budgets: [{ function: 'f', tokens: 1_500 }] }, [plugin]);
    await one.run(CALL);
    expect([...state.values.values()]).toEqual([1_500]);
    expect([...state.values.keys()][0]).toMatch(/^[A-Za-z0-9:._-]{1,200}$/);
    await plugins?.stop();
    const other = await start({ budgets: [{ function: 'f', tokens: 1_500 }] }, [plugin]);
    await expect(other.run(CALL)).rejects.toMatchObject(refused);
  });

  test('that cannot be charged keep the usage on the result, and are charged later, once', async () => {
    const { plugin, state } = sharing();
    const { run } = await start({ budgets: [{ function: '*', tokens: 10_000 }] }, [plugin]);
    await run(CALL);
    // It answers when the job begins, and is away when it ends.
    const charge = vi.spyOn(state.values, 'set').mockImplementationOnce(() => {
      throw new Error('the shared state is away');
    });
    const { result } = await run(CALL);
    expect(charge).toHaveBeenCalledOnce();
    charge.mockRestore();
    expect(result.llmUsage?.totalTokens).toBe(1_500);
    expect(result.pluginErrors).toMatchObject([{ plugin: '@nanogrid/plugin-llm-metering', hook: 'afterExec' }]);
    expect([...state.values.values()]).toEqual([1_500]);
    await run(CALL, 'g');
    expect([...state.values.values()].sort()).toEqual([1_500, 3_000]);
  });

  test('that cannot be looked up make the job be tried again', async () => {
    const { plugin, state } = sharing();
    const { run } = await start({ budgets: [{ function: 'f', tokens: 10_000 }] }, [plugin]);
    state.failing = true;
    await expect(run(CALL)).rejects.toMatchObject({ retryable: true });
    await run(CALL, 'free');
  });

  test.each([
    [{ budgets: [{ function: 'f' }] }, 'The LLM budget of "f" has no limit.'],
    [{ budgets: [{ tokens: 1 }] }, 'The LLM budget of "" is of no function and no tenant, or of both.'],
    [{ budgets: [{ function: 'f', tenant: 't', tokens: 1 }] }, 'of no function and no tenant, or of both.'],
    [{ budgets: [{ function: 'f', cost: 1 }] }, 'The LLM budget of "f" is in money, and there are no prices.'],
  ])('that mean nothing are refused: %j', async (options, message) => {
    await expect(start(options)).rejects.toThrow(message);
  });
});
