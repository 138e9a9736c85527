import type { MetricDatum } from '@aws-sdk/client-cloudwatch';
import { type Logger, silentLogger } from '@nanogrid/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MetricBuffer, type Sample } from './metric-buffer.js';
import { EARLY_FLUSH_VALUES, LONGEST_PAUSE_MS, MetricPump, STOP_MS } from './metric-pump.js';

const sample = (value: number, id = 'f'): Sample => ({
  metric: 'PeakMemoryBytes',
  unit: 'Bytes',
  dimensions: { FunctionId: id },
  value,
  atMs: 0,
});

function pump(maxValues = 100_000) {
  const sent: MetricDatum[][] = [];
  const told: string[] = [];
  const tell = (_fields: object | string, message?: string) => void told.push(message ?? '');
  const log: Logger = { ...silentLogger, info: tell, warn: tell, error: tell };
  const state = { fault: undefined as unknown };
  const buffer = new MetricBuffer(maxValues);
  const metrics = new MetricPump({
    buffer,
    log,
    flushIntervalMs: 10_000,
    describe: () => ({ message: 'it failed.', hint: 'Do something.' }),
    send: async (data) => {
      if (typeof state.fault === 'function') return state.fault();
      if (state.fault !== undefined) throw state.fault;
      sent.push(data);
    },
  });
  return { buffer, metrics, sent, told, state };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('sends after the interval, and nothing where nothing was measured', async () => {
  const { metrics, sent } = pump();
  metrics.start();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(sent).toEqual([]);
  metrics.add(sample(1));
  await vi.advanceTimersByTimeAsync(9_999);
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toHaveLength(1);
});

test('a full buffer is not left until then', async () => {
  const { metrics, sent } = pump();
  metrics.start();
  for (let value = 0; value < EARLY_FLUSH_VALUES; value++) metrics.add(sample(value));
  await vi.advanceTimersByTimeAsync(0);
  expect(sent).toHaveLength(1);
});

test('keeps what could not be sent, with growing pauses, and says so once', async () => {
  const { metrics, sent, told, state, buffer } = pump();
  metrics.start();
  metrics.add(sample(1));
  const send = vi.fn(() => Promise.reject(new Error('ECONNREFUSED')));
  state.fault = send;
  const tries: number[] = [];
  for (let second = 1; second <= 210; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    if (send.mock.calls.length > tries.length) tries.push(second);
  }
  expect(tries).toEqual([10, 30, 70, 130, 190]);
  expect(LONGEST_PAUSE_MS).toBe(60_000);
  expect(metrics.isFailing).toBe(true);
  expect(told).toEqual(['metrics are kept and sent later: it failed.']);
  state.fault = undefined;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toMatchObject([[{ Value: 1 }]]);
  expect(metrics.isFailing).toBe(false);
  expect(buffer.size).toBe(0);
  expect(told.slice(1)).toEqual(['metrics are sent again']);
});

test('while nothing can be sent the oldest go, told once', async () => {
  const { metrics, told, state, buffer } = pump(10);
  state.fault = new Error('ECONNREFUSED');
  metrics.start();
  for (let value = 0; value < 50; value++) metrics.add(sample(value, `f${value}`));
  await vi.advanceTimersByTimeAsync(60_000);
  for (let value = 0; value < 50; value++) metrics.add(sample(value, `g${value}`));
  expect(buffer.size).toBe(10);
  expect(buffer.dropped).toBe(90);
  expect(told.filter((line) => line.includes('the oldest are given up'))).toHaveLength(1);
});

test('what CloudWatch refuses is given up, and does not hold up the rest', async () => {
  const { metrics, told, state, buffer, sent } = pump();
  const refused = Object.assign(new Error('bad'), {
    name: 'InvalidParameterValue',
    $metadata: { httpStatusCode: 400 },
  });
  state.fault = refused;
  metrics.start();
  metrics.add(sample(1));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(buffer.dropped).toBe(1);
  expect(metrics.isFailing).toBe(false);
  expect(told).toEqual(['metrics are refused and given up: it failed.']);
  state.fault = undefined;
  metrics.add(sample(2));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(sent).toHaveLength(1);
  expect(told).toHaveLength(1);
});

test('a stop sends what is left', async () => {
  const { metrics, sent } = pump();
  metrics.start();
  metrics.add(sample(1));
  await metrics.stop();
  await metrics.stop();
  expect(sent).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('a stop waits for a service that hangs only for so long', async () => {
  const { buffer, told } = pump();
  const metrics = new MetricPump({
    buffer,
    log: { ...silentLogger, warn: (_fields: object | string, message?: string) => void told.push(message ?? '') },
    flushIntervalMs: 10_000,
    describe: () => ({ message: 'it failed.', hint: '' }),
    send: (_data, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  metrics.start();
  metrics.add(sample(1));
  await vi.advanceTimersByTimeAsync(10_000);
  let hasStopped = false;
  const stopping = metrics.stop().then(() => {
    hasStopped = true;
  });
  await vi.advanceTimersByTimeAsync(STOP_MS - 1);
  expect(hasStopped).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await stopping;
  expect(told).toEqual(['metrics that could not be sent are lost: the worker stops']);
});
