/** Traces of jobs in real containers, sent to a collector on loopback: in from the message, on to the function, out with the result. */

import { opentelemetry } from '@nanogrid/plugin-opentelemetry';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '../support/services/otlp-collector.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const STAGES = ['queue', 'receive', 'fetch', 'extract', 'acquire', 'exec', 'collect', 'publish', 'settle'];
const MAIN = 'import json, os, sys\njson.load(sys.stdin)\nprint(json.dumps(os.environ.get("TRACEPARENT")))\n';

let receiver: OtlpCollector;
let worker: TestWorker;

/** `timeoutMs`: how long sending may take, and a stop wait for it. */
async function startWorker(endpoint: string, timeoutMs = 25_000): Promise<TestWorker> {
  return startTestWorker({
    runtimes: [python({ preload: [] })],
    plugins: [opentelemetry({ timeoutMs })],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
  });
}

beforeAll(async () => {
  receiver = await startOtlpCollector();
  worker = await startWorker(receiver.endpoint);
});

afterAll(async () => {
  await worker?.close();
  await receiver?.close();
});

/** All spans of one job, once its last one has been sent. */
async function spansOf(jobId: string): Promise<{ root: CollectedSpan; stages: CollectedSpan[] }> {
  const rootOf = (spans: readonly CollectedSpan[]) =>
    spans.find(({ attributes }) => attributes['faas.invocation_id'] === jobId);
  await receiver.until((spans) => {
    const root = rootOf(spans);
    return spans.some(({ name, parentSpanId }) => name === 'settle' && parentSpanId === root?.spanId);
  });
  const root = rootOf(receiver.spans) as CollectedSpan;
  return { root, stages: receiver.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId) };
}

describe('a job', () => {
  test('has one span for each stage, in the trace of its message', async () => {
    const traceparent = `00-${TRACE}-${CALLER}-01`;
    const result = await worker.run({ 'main.py': MAIN }, { functionId: 'f', input: null, traceparent });
    expect(result.status).toBe('SUCCESS');
    const { root, stages } = await spansOf(result.requestId);
    expect(root).toMatchObject({ name: 'nanogrid.job', traceId: TRACE, parentSpanId: CALLER, statusCode: 0 });
    expect(root.attributes).toMatchObject({ 'faas.name': 'f', 'nanogrid.outcome': 'published' });
    expect(stages.map(({ name }) => name).sort()).toEqual([...STAGES].sort());
    const inOrder = STAGES.map((stage) => stages.find(({ name }) => name === stage) as CollectedSpan);
    for (const [place, { startedAt, endedAt, traceId }] of inOrder.entries()) {
      expect(traceId).toBe(TRACE);
      expect(endedAt).toBeGreaterThanOrEqual(startedAt);
      // Each begins where the one before ended; times are rounded to microseconds.
      if (place > 0) expect(startedAt).toBeGreaterThanOrEqual((inOrder[place - 1]?.endedAt ?? 0) - 0.01);
    }
    expect(root.startedAt).toBeLessThanOrEqual((inOrder[0]?.startedAt ?? 0) + 0.01);
    const exec = inOrder[STAGES.indexOf('exec')] as CollectedSpan;
    expect(exec.endedAt - exec.startedAt).toBeGreaterThanOrEqual(result.durationMs);
    const own = `00-${TRACE}-${root.spanId}-01`;
    expect(result).toMatchObject({ result: own, traceparent: own });
  });

  test('without one begins its own; one that fails is an error', async () => {
    const result = await worker.run({ 'main.py': 'import sys\nsys.exit(3)\n' });
    const { root } = await spansOf(result.requestId);
    expect(root).toMatchObject({ parentSpanId: undefined, statusCode: 2, statusMessage: 'NG_EXIT_CODE' });
    expect(result.traceparent).toBe(`00-${root.traceId}-${root.spanId}-01`);
  });

  test('that never ran has a trace with the stage that failed', async () => {
    const result = await worker.run(undefined, { key: 'functions/missing/code.zip' });
    expect(result).toMatchObject({ status: 'ERROR' });
    const { root } = await spansOf(result.requestId);
    expect(root.statusCode).toBe(2);
    const failed = receiver.spans.filter(({ name, statusCode }) => name === 'fetch' && statusCode === 2);
    expect(failed.length).toBeGreaterThan(0);
  });
});

test('what waits to be sent is sent when the worker stops; without a collector jobs run and a stop ends', async () => {
  const own = await startOtlpCollector();
  const stopping = await startWorker(own.endpoint);
  const { requestId } = await stopping.run({ 'main.py': MAIN }, { input: null });
  await stopping.close();
  expect(own.spans.some(({ attributes }) => attributes['faas.invocation_id'] === requestId)).toBe(true);
  const away = await startWorker(own.endpoint, 2_000);
  await own.close();
  for (let count = 0; count < 3; count++) {
    expect(await away.run({ 'main.py': MAIN }, { input: null })).toMatchObject({ status: 'SUCCESS' });
  }
  await away.close();
});
