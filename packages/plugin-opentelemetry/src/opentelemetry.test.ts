import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  type ExecSpec,
  type ExecutionReport,
  type Job,
  type JobResult,
  type Logger,
  type PluginRegistry,
  type Stage,
  type StageEnd,
  type StageListener,
  silentLogger,
} from '@nanogrid/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OpenTelemetryOptions, opentelemetry } from './opentelemetry.js';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.test.util.js';

const phases = { queue: 5, fetch: 3, extract: 2, acquire: 1, build: 0, exec: 30, collect: 1, publish: 0 };
const success: JobResult = {
  requestId: 'r',
  runtime: 'python',
  runtimeVersion: '3.11',
  status: 'SUCCESS',
  stdout: '',
  stderr: '',
  durationMs: 20,
  phases: { ...phases, start: 'cold' },
  peakMemoryBytes: 9 * 2 ** 20,
  memoryMb: 256,
  outputFiles: [],
  attempt: 1,
};
const newSpec: ExecSpec = {
  command: undefined,
  entrypoint: 'main.py',
  handler: undefined,
  env: {},
  timeoutMs: 1_000,
  graceMs: 200,
  memoryMb: 256,
  cpus: 1,
  input: 'null',
  maxStdoutBytes: 1_024,
  maxStderrBytes: 1_024,
  network: 'none',
  reuse: 'container',
  workFiles: [],
};
const T0 = 1_700_000_000_000;
const newJob = (more: Partial<Job> = {}) =>
  ({ id: 'r', functionId: 'f', runtime: 'python', attempt: 1, sentAt: T0 - 5, ...more }) as Job;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const traceparent = `00-${TRACE}-${PARENT}-01`;

let receiver: OtlpReceiver;
let plugins: PluginRegistry | undefined;

beforeEach(async () => {
  receiver = await startOtlpReceiver();
});

afterEach(async () => {
  await plugins?.stop();
  await receiver.close();
});

async function start(options: OpenTelemetryOptions = {}) {
  const listeners: StageListener[] = [];
  const warnings: object[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (fields: unknown) => void warnings.push(fields as object),
    child: () => log,
  };
  const hooks = createGuardedHooks({ log: silentLogger });
  plugins = await createPluginHost({
    config: { environment: 'production' } as CoreConfig,
    hooks,
    log,
    onStageEnd: (listener) => void listeners.push(listener),
    plugins: [opentelemetry({ endpoint: receiver.endpoint, timeoutMs: 25_000, ...options })],
  });
  await plugins.start();
  const end = (job: Job | undefined, stage: Stage, startedAt: number, durationMs: number, outcome = 'done') => {
    const ended: StageEnd = { job, stage, startedAt: T0 + startedAt, durationMs, outcome };
    for (const listener of listeners) listener(ended);
  };
  const figure = (name: string) => plugins?.figures().find((one) => one.name === `opentelemetry_${name}`)?.value;
  return { hooks, end, warnings, figure, stop: () => plugins?.stop() };
}

type Lab = Awaited<ReturnType<typeof start>>;

/** A whole job as a worker tells of it; what `beforeExec` made of the environment, and `afterExec` of the result. */
async function runJob({ hooks, end }: Lab, job: Job, result: JobResult = success, env = {}) {
  end(job, 'receive', 0, 1);
  end(job, 'fetch', 1, 5);
  const spec = await hooks.beforeExec.promise({ ...newSpec, env }, job);
  end(job, 'acquire', 6, 1);
  const enriched = await hooks.afterExec.promise(result, {} as ExecutionReport, job);
  end(job, 'exec', 7, 30);
  end(job, 'collect', 37, 1);
  await hooks.onResult.promise(enriched, job);
  end(job, 'publish', 38, 2);
  end(job, 'settle', 40, 3, 'published');
  return { env: spec.env, result: enriched };
}

describe('a job', () => {
  test('has a span for each stage, in the trace of its message, and passes the trace on', async () => {
    const lab = await start();
    const { env, result } = await runJob(lab, newJob({ traceparent }));
    await lab.stop();
    const { spans } = receiver;
    const root = spans.find(({ name }) => name === 'nanogrid.job');
    expect(root).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, statusCode: 0, kind: 5 });
    expect(root).toMatchObject({ startedAt: T0 - 5, endedAt: T0 + 43 });
    expect(root?.attributes).toMatchObject({
      'faas.invocation_id': 'r',
      'faas.name': 'f',
      'faas.coldstart': true,
      'nanogrid.status': 'SUCCESS',
      'nanogrid.outcome': 'published',
      'nanogrid.memory_peak_bytes': 9 * 2 ** 20,
    });
    expect(root?.resource).toMatchObject({ 'service.name': 'nanogrid', 'deployment.environment.name': 'production' });
    const stages = spans.filter((span) => span !== root).sort((a, b) => a.startedAt - b.startedAt);
    expect(stages.map(({ name, startedAt, endedAt }) => [name, startedAt - T0, endedAt - T0])).toEqual([
      ['queue', -5, 0],
      ['receive', 0, 1],
      ['fetch', 1, 4],
      ['extract', 4, 6],
      ['acquire', 6, 7],
      ['exec', 7, 37],
      ['collect', 37, 38],
      ['publish', 38, 40],
      ['settle', 40, 43],
    ]);
    for (const { parentSpanId, traceId } of stages) expect([traceId, parentSpanId]).toEqual([TRACE, root?.spanId]);
    const own = `00-${TRACE}-${root?.spanId}-01`;
    expect(env).toEqual({ TRACEPARENT: own });
    expect(result.traceparent).toBe(own);
  });

  test('begins a trace where its message brings none', async () => {
    const lab = await start();
    const { result } = await runJob(lab, newJob({ sentAt: undefined }));
    await lab.stop();
    const root = receiver.spans.find(({ name }) => name === 'nanogrid.job');
    expect(root).toMatchObject({ parentSpanId: undefined, startedAt: T0 });
    expect(result.traceparent).toBe(`00-${root?.traceId}-${root?.spanId}-01`);
    expect(receiver.spans.map(({ name }) => name)).not.toContain('queue');
  });

  test('that came again or from the future has not waited all the time', async () => {
    const lab = await start();
    await runJob(lab, newJob({ attempt: 2 }));
    await runJob(lab, newJob({ sentAt: T0 + 60_000 }));
    await lab.stop();
    const roots = receiver.spans.filter(({ name }) => name === 'nanogrid.job');
    expect(roots.map(({ startedAt }) => startedAt)).toEqual([T0, T0]);
  });

  test('that failed says so, by its code', async () => {
    const lab = await start();
    await runJob(lab, newJob(), {
      ...success,
      status: 'FAILED',
      errorCode: 'NG_TIMEOUT',
      errorMessage: 'secret words',
    });
    await lab.stop();
    const root = receiver.spans.find(({ name }) => name === 'nanogrid.job');
    expect(root).toMatchObject({ statusCode: 2, statusMessage: 'NG_TIMEOUT' });
    expect(root?.attributes['error.type']).toBe('NG_TIMEOUT');
    expect(JSON.stringify(receiver.spans)).not.toContain('secret words');
  });

  test('that is tried again has a trace, with the stage that failed', async () => {
    const lab = await start();
    const job = newJob({ traceparent });
    lab.end(job, 'receive', 0, 1);
    lab.end(job, 'fetch', 1, 9, 'failed');
    lab.end(job, 'settle', 10, 1, 'retry');
    await lab.stop();
    const failed = receiver.spans.filter(({ statusCode }) => statusCode === 2).map(({ name }) => name);
    expect(failed.sort()).toEqual(['fetch', 'nanogrid.job']);
  });

  test('whose message is none has no trace', async () => {
    const lab = await start();
    lab.end(undefined, 'receive', 0, 1, 'rejected');
    lab.end(undefined, 'settle', 1, 1, 'unreadable');
    await lab.stop();
    expect(receiver.spans).toEqual([]);
  });
});

describe('what is recorded', () => {
  test('is decided by who began the trace, else by the ratio', async () => {
    const lab = await start({ ratio: 0 });
    const { result, env } = await runJob(lab, newJob());
    await runJob(lab, newJob({ traceparent: `00-${TRACE}-${PARENT}-00` }));
    const brought = await runJob(lab, newJob({ traceparent }));
    await lab.stop();
    expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    expect(brought.result.traceparent).toMatch(/-01$/);
    // Who continues the trace learns that nobody records it.
    expect([result.traceparent, env.TRACEPARENT]).toEqual([expect.stringMatching(/-00$/), result.traceparent]);
  });

  test("a function's own variable stays, and none is passed on where that is off", async () => {
    const lab = await start();
    expect((await runJob(lab, newJob(), success, { TRACEPARENT: 'own' })).env).toEqual({ TRACEPARENT: 'own' });
    await lab.stop();
    const silent = await start({ passOn: false });
    expect((await runJob(silent, newJob())).env).toEqual({});
  });
});

describe('a collector that', () => {
  const run = async (lab: Lab, jobs: number) => {
    for (let count = 0; count < jobs; count++) await runJob(lab, newJob());
  };

  test('refuses is told of once, and again when it takes spans', async () => {
    const lab = await start({ maxQueuedSpans: 16, timeoutMs: 3_000 });
    receiver.behave('refuse');
    for (let failed = 0, times = 0; times < 2; times++) {
      await run(lab, 10);
      while ((lab.figure('spans_failed_total') ?? 0) <= failed) await new Promise(setImmediate);
      failed = lab.figure('spans_failed_total') ?? 0;
    }
    expect(lab.figure('failing')).toBe(1);
    expect(lab.warnings).toHaveLength(1);
    receiver.behave('take');
    while (lab.figure('failing') !== 0) {
      await run(lab, 1);
      await new Promise(setImmediate);
    }
    expect(lab.warnings).toHaveLength(1);
    await lab.stop();
    expect(lab.figure('spans_sent_total')).toBe(receiver.spans.length);
  });

  test('never answers costs neither jobs nor memory, and a stop little time', async () => {
    const lab = await start({ maxQueuedSpans: 64, timeoutMs: 300 });
    receiver.behave('hang');
    await run(lab, 500);
    await lab.stop();
    expect(lab.figure('spans_total')).toBe(5_000);
    expect(lab.figure('spans_sent_total')).toBe(0);
    // What waited at the end, and what was on its way: the rest was dropped.
    expect(lab.figure('spans_failed_total')).toBeLessThanOrEqual(4 * 64);
  });

  test('is not there disturbs nobody', async () => {
    const lab = await start({ timeoutMs: 300 });
    await receiver.close();
    const { result } = await runJob(lab, newJob());
    expect(result.pluginErrors).toBeUndefined();
    await lab.stop();
    expect([lab.figure('spans_failed_total'), lab.warnings.length]).toEqual([10, 1]);
    receiver = await startOtlpReceiver();
  });

  test('wants headers gets them', async () => {
    const lab = await start({ headers: { 'x-api-key': 'k' } });
    await run(lab, 1);
    await lab.stop();
    expect(receiver.headers).toMatchObject({ 'x-api-key': 'k', 'content-type': 'application/json' });
  });

  test('is asked by the doctor', async () => {
    const lab = await start();
    const url = `${receiver.endpoint}/v1/traces`;
    expect(await plugins?.diagnose()).toMatchObject([{ found: `The collector at ${url} takes traces.` }]);
    receiver.behave('refuse');
    expect(await plugins?.diagnose()).toMatchObject([{ found: `The collector at ${url} answers with 503.` }]);
    await receiver.close();
    expect(await plugins?.diagnose()).toMatchObject([{ found: `The collector at ${url} cannot be reached.` }]);
    await lab.stop();
    receiver = await startOtlpReceiver();
  });
});

test.each(['localhost:4318', 'collector', 'grpc://collector:4317', ' '])('%j is no endpoint', async (endpoint) => {
  await expect(start({ endpoint })).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
});

test.each(['http://c:4318', 'https://c/otlp/'])('%j is one', async (endpoint) => {
  await (await start({ endpoint })).stop();
});
