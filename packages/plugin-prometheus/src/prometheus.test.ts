import { createServer } from 'node:net';
import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  definePlugin,
  type PluginMetric,
  silentLogger,
  type WorkerStatus,
} from '@nanogrid/core';
import { afterEach, describe, expect, test } from 'vitest';
import { job, type Lab, startLab, status, success, withModels } from './metrics-lab.test.util.js';
import { sampleValue } from './parse-exposition.test.util.js';
import type { PrometheusOptions } from './prometheus.js';

let lab: Lab | undefined;

afterEach(() => lab?.stop());

async function start(options?: PrometheusOptions, told?: WorkerStatus | null): Promise<Lab> {
  lab = await startLab(options, told);
  return lab;
}

describe('jobs', () => {
  test('are counted by status, runtime and model, with the names of the contract', async () => {
    const { hooks, scrape } = await start();
    await hooks.onResult.promise(success, job);
    await hooks.onResult.promise({ ...success, llmUsage: withModels('llama3:8b') }, job);
    await hooks.onResult.promise({ ...success, status: 'FAILED', errorCode: 'NG_EXIT_CODE' }, job);
    const samples = await scrape();
    const jobs = samples.filter(({ name, value }) => name === 'worker_jobs_processed_total' && value > 0);
    expect(jobs.map(({ labels, value }) => [labels, value])).toEqual([
      [{ status: 'success', runtime: 'python', model: '' }, 1],
      [{ status: 'success', runtime: 'python', model: 'llama3:8b' }, 1],
      [{ status: 'failed', runtime: 'python', model: '' }, 1],
    ]);
    const plain = { runtime: 'python', model: '' };
    expect(sampleValue(samples, 'worker_job_duration_seconds_count', plain)).toBe(2);
    expect(sampleValue(samples, 'worker_job_duration_seconds_sum', plain)).toBeCloseTo(0.04);
    expect(sampleValue(samples, 'worker_job_duration_seconds_bucket', { ...plain, le: '0.01' })).toBe(0);
    expect(sampleValue(samples, 'worker_job_duration_seconds_bucket', { ...plain, le: '0.025' })).toBe(2);
    expect(sampleValue(samples, 'nanogrid_job_errors_total', { code: 'NG_EXIT_CODE' })).toBe(1);
    expect(sampleValue(samples, 'nanogrid_job_starts_total', { runtime: 'python', start: 'warm' })).toBe(3);
    expect(sampleValue(samples, 'nanogrid_job_peak_memory_bytes_bucket', { le: String(16 * 2 ** 20) })).toBe(3);
    expect(sampleValue(samples, 'nanogrid_llm_tokens_total', { model: 'llama3:8b', kind: 'prompt' })).toBe(10);
    expect(sampleValue(samples, 'nanogrid_llm_calls_total', { model: 'llama3:8b' })).toBe(1);
  });

  test('show the phases that happened', async () => {
    const { hooks, scrape } = await start();
    await hooks.onResult.promise(success, job);
    const samples = await scrape();
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_sum', { phase: 'queue' })).toBeCloseTo(0.002);
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_count', { phase: 'exec' })).toBe(1);
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_count', { phase: 'fetch' })).toBeUndefined();
  });

  test('that never ran have no duration', async () => {
    const { hooks, scrape } = await start();
    const never = { ...success.phases, exec: 0 };
    await hooks.onResult.promise({ ...success, status: 'ERROR', phases: never, durationMs: 0 }, job);
    const samples = await scrape();
    expect(sampleValue(samples, 'worker_jobs_processed_total', { status: 'error', model: '', runtime: 'python' })).toBe(
      1,
    );
    expect(sampleValue(samples, 'worker_job_duration_seconds_count')).toBeUndefined();
  });

  test('of a worker that has just started are 0, not absent', async () => {
    const samples = await (await start()).scrape();
    const failed = { status: 'failed', runtime: 'go', model: '' };
    expect(sampleValue(samples, 'worker_jobs_processed_total', failed)).toBe(0);
  });

  test('cannot make series without end: unknown runtimes and late models are "other"', async () => {
    const { hooks, scrape } = await start({ maxModels: 3 });
    const names = ['__proto__', 'a"b\\c\nd', `x${'y'.repeat(500)}`, 'late', 'later'];
    for (const name of names) {
      await hooks.onResult.promise({ ...success, llmUsage: withModels(name) }, { ...job, runtime: `no-${name}` });
    }
    const samples = (await scrape()).filter(
      ({ name, labels }) => name === 'worker_jobs_processed_total' && labels.model !== '',
    );
    expect(new Set(samples.map(({ labels }) => labels.runtime))).toEqual(new Set(['other']));
    expect(samples.map(({ labels, value }) => [labels.model, value])).toEqual([
      ['__proto__', 1],
      ['a"b\\c\nd', 1],
      [`x${'y'.repeat(127)}`, 1],
      ['other', 2],
    ]);
  });

  test('names of models that differ in broken characters alone are one series', async () => {
    const { hooks, scrape } = await start();
    for (const name of ['m\ud800', 'm\ud801']) {
      await hooks.onResult.promise({ ...success, llmUsage: withModels(name) }, job);
    }
    expect(sampleValue(await scrape(), 'worker_jobs_processed_total', { model: 'm\ufffd' })).toBe(2);
  });

  test('of several models count for the one that was used most', async () => {
    const { hooks, scrape } = await start();
    await hooks.onResult.promise({ ...success, llmUsage: withModels('less', 'more') }, job);
    expect(sampleValue(await scrape(), 'worker_jobs_processed_total', { model: 'more' })).toBe(1);
  });

  test('with times that are none break nothing', async () => {
    const { hooks, scrape } = await start();
    await hooks.onResult.promise({ ...success, durationMs: NaN }, job);
    await hooks.onResult.promise(success, job);
    expect(sampleValue(await scrape(), 'worker_jobs_processed_total', { status: 'success', runtime: 'python' })).toBe(
      2,
    );
  });

  test('with counts that are none break nothing', async () => {
    const { hooks, scrape } = await start();
    const odd = { promptTokens: -1, completionTokens: NaN, totalTokens: Infinity, calls: 2 };
    await hooks.onResult.promise({ ...success, llmUsage: { ...odd, byModel: { m: odd } } }, job);
    expect(sampleValue(await scrape(), 'nanogrid_llm_calls_total', { model: 'm' })).toBe(2);
  });
});

describe('what the result itself does not say', () => {
  const stage = { job, startedAt: 0, durationMs: 3 } as const;

  test('is the time of publishing', async () => {
    const { endStage, scrape } = await start();
    endStage({ ...stage, stage: 'publish', outcome: 'done' });
    endStage({ ...stage, stage: 'publish', outcome: 'failed' });
    endStage({ ...stage, stage: 'exec', outcome: 'done' });
    const samples = await scrape();
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_sum', { phase: 'publish' })).toBeCloseTo(0.003);
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_count', { phase: 'publish' })).toBe(1);
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_count', { phase: 'exec' })).toBeUndefined();
  });

  test('is what became of the message', async () => {
    const { endStage, scrape } = await start();
    endStage({ ...stage, stage: 'settle', outcome: 'retry' });
    const samples = await scrape();
    const settled = (outcome: string) => sampleValue(samples, 'nanogrid_messages_settled_total', { outcome });
    expect([settled('retry'), settled('published'), settled('unreadable')]).toEqual([1, 0, 0]);
  });
});

test('CPU time, the cost of LLM calls and failed taps of plugins are counted', async () => {
  const { hooks, scrape } = await start();
  const llmCost = { currency: 'EUR', total: 0.25, byModel: { m: 0.25, odd: -1 } };
  const pluginErrors = [{ plugin: 'audit', hook: 'afterExec', message: 'odd' }];
  for (let count = 0; count < 2; count++) {
    await hooks.onResult.promise({ ...success, cpuMs: 1_500, llmCost, pluginErrors }, job);
  }
  const samples = await scrape();
  expect(sampleValue(samples, 'nanogrid_job_cpu_seconds_total', { runtime: 'python' })).toBe(3);
  expect(sampleValue(samples, 'nanogrid_llm_cost_total', { model: 'm', currency: 'EUR' })).toBe(0.5);
  expect(sampleValue(samples, 'nanogrid_llm_cost_total', { model: 'odd' })).toBe(0);
  expect(sampleValue(samples, 'nanogrid_plugin_errors_total', { plugin: 'audit' })).toBe(2);
});

describe('the worker', () => {
  test('is shown as it is when it is asked', async () => {
    const { scrape } = await start();
    await scrape();
    const samples = await scrape();
    const value = (name: string, labels?: Record<string, string>) => sampleValue(samples, name, labels);
    expect(value('worker_active_jobs')).toBe(3);
    expect([value('nanogrid_healthy'), value('nanogrid_waiting_jobs')]).toEqual([1, 0]);
    expect(value('nanogrid_worker_info', { version: '0.1.0', environment: 'production' })).toBe(1);
    expect([value('nanogrid_slots'), value('nanogrid_slots_free')]).toEqual([4, 1]);
    expect(value('nanogrid_memory_budget_free_bytes')).toBe(256 * 2 ** 20);
    expect(value('nanogrid_pool_containers', { runtime: 'python', state: 'busy' })).toBe(3);
    expect(value('nanogrid_pool_containers', { runtime: 'go', state: 'idle' })).toBe(0);
    expect(value('nanogrid_pool_waiting_jobs')).toBe(2);
    expect(value('nanogrid_pool_transitions_total', { from: 'idle', to: 'bound' })).toBe(4);
    expect(value('nanogrid_cache_bytes', { cache: 'artifact' })).toBe(400);
    expect(value('nanogrid_cache_hits_total', { cache: 'code' })).toBe(5);
    expect(value('nanogrid_queue_messages', { state: 'waiting' })).toBe(7);
    expect(value('nanogrid_queue_messages', { state: 'in_flight' })).toBe(3);
    expect(value('nanogrid_queue_oldest_message_age_seconds')).toBe(1.5);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('tells what fails, and no counts of a queue that does not answer', async () => {
    const { scrape } = await start({}, { ...status, queue: undefined, failing: { docker: 'gone', queue: 'gone' } });
    const samples = await scrape();
    expect(sampleValue(samples, 'nanogrid_healthy')).toBe(0);
    expect(sampleValue(samples, 'nanogrid_part_failing', { part: 'docker' })).toBe(1);
    expect(samples.filter(({ name }) => name.startsWith('nanogrid_queue'))).toEqual([]);
  });

  test('answers before it is ready', async () => {
    const samples = await (await start({ processMetrics: false }, null)).scrape();
    expect([sampleValue(samples, 'worker_active_jobs'), sampleValue(samples, 'nanogrid_healthy')]).toEqual([0, 0]);
    expect(samples.filter(({ name }) => name.startsWith('process_'))).toEqual([]);
  });

  test('shows figures of other plugins; one with a name that is taken is left out', async () => {
    const figure = { plugin: 'outbox', kind: 'gauge', help: 'Entries.', value: 4 } as const;
    const metrics = [
      { ...figure, name: 'outbox_entries' },
      { ...figure, name: 'outbox_written_total', kind: 'counter' as const },
      { ...figure, name: 'outbox_read', kind: 'counter' as const },
      { ...figure, name: 'job_errors_total' },
      { ...figure, name: 'job_phase_seconds_sum' },
    ];
    const { scrape } = await start({}, { ...status, metrics });
    await scrape();
    const samples = await scrape();
    expect(sampleValue(samples, 'nanogrid_outbox_entries', { plugin: 'outbox' })).toBe(4);
    expect(sampleValue(samples, 'nanogrid_outbox_written_total')).toBe(4);
    // Every counter ends in _total, in either format.
    expect(sampleValue(samples, 'nanogrid_outbox_read_total')).toBe(4);
    expect(sampleValue(samples, 'nanogrid_job_errors_total')).toBeUndefined();
    expect(sampleValue(samples, 'nanogrid_job_phase_seconds_sum')).toBeUndefined();
  });
});

describe('the server', () => {
  test('has /metrics only', async () => {
    const { address } = await start();
    const answer = await fetch(address);
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect((await fetch(new URL('/', address))).status).toBe(404);
    expect((await fetch(address, { method: 'POST' })).status).toBe(404);
  });

  test('says that the port is taken, where it comes from and what to do', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({
      code: 'NG_PORT_IN_USE',
      message: expect.stringContaining(
        `The port ${port} on 127.0.0.1 for metrics is in use by another program; it is port (from the configuration file).`,
      ),
      hint: expect.stringContaining('prometheus({ port })'),
    });
    await new Promise((resolve) => other.close(resolve));
    await expect(start({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
  });

  test('is gone when the worker stops', async () => {
    const { address } = await start();
    await lab?.stop();
    await expect(fetch(address)).rejects.toThrow();
  });
});

test('a figure that a plugin registers with its host arrives', async () => {
  const metric: PluginMetric = { name: 'lights', kind: 'gauge', help: 'Lights that are on.', value: () => 2 };
  const lamp = definePlugin({
    name: 'lamp',
    version: '1.0.0',
    core: '*',
    optionsSchema: { type: 'object', properties: {} },
    apply: (host) => host.metric(metric),
  });
  const registry = await createPluginHost({
    config: {} as CoreConfig,
    hooks: createGuardedHooks({ log: silentLogger }),
    log: silentLogger,
    plugins: [lamp()],
  });
  const { scrape } = await start({}, { ...status, metrics: registry.figures() });
  expect(sampleValue(await scrape(), 'nanogrid_lights', { plugin: 'lamp' })).toBe(2);
});
