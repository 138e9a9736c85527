import { expect, test } from 'vitest';
import { MAX_BYTES, MAX_METRICS, MAX_VALUES, MetricBuffer, type Sample } from './metric-buffer.js';

const sample = (value: number, more: Partial<Sample> = {}): Sample => ({
  metric: 'PeakMemoryBytes',
  unit: 'Bytes',
  dimensions: { FunctionId: 'f', Runtime: 'python' },
  value,
  atMs: 1_800_000_000_000,
  ...more,
});

test('one value is sent as one', () => {
  const buffer = new MetricBuffer(10);
  buffer.add(sample(1024));
  expect(buffer.take()?.data).toEqual([
    {
      MetricName: 'PeakMemoryBytes',
      Dimensions: [
        { Name: 'FunctionId', Value: 'f' },
        { Name: 'Runtime', Value: 'python' },
      ],
      Timestamp: new Date(1_800_000_000_000),
      Value: 1024,
      Unit: 'Bytes',
    },
  ]);
  expect(buffer.take()).toBeUndefined();
});

test('values of the same metric and minute go together, each with how often it came', () => {
  const buffer = new MetricBuffer(10);
  for (const value of [1, 2, 2, 1, 1]) buffer.add(sample(value));
  buffer.add(sample(3, { atMs: 1_800_000_000_000 + 60_000 }));
  buffer.add(sample(4, { dimensions: { FunctionId: 'g', Runtime: 'python' } }));
  buffer.add(sample(5));
  const { data = [] } = buffer.take() ?? {};
  expect(data.map(({ Value, Values, Counts }) => ({ Value, Values, Counts }))).toEqual([
    { Values: [1, 2, 5], Counts: [3, 2, 1] },
    { Value: 3 },
    { Value: 4 },
  ]);
});

test('the same value twice needs its count', () => {
  const buffer = new MetricBuffer(10);
  buffer.add(sample(1));
  buffer.add(sample(1));
  expect(buffer.take()?.data).toMatchObject([{ Values: [1], Counts: [2] }]);
});

test('a request keeps the caps of CloudWatch: values of a metric, metrics, bytes', () => {
  const buffer = new MetricBuffer(1_000_000);
  for (let value = 0; value < MAX_VALUES + 1; value++) buffer.add(sample(value));
  for (let id = 0; id < MAX_METRICS; id++) buffer.add(sample(1, { dimensions: { FunctionId: `f${id}` } }));
  const first = buffer.take()?.data ?? [];
  expect(first).toHaveLength(MAX_METRICS);
  expect(first.slice(0, 2).map(({ Values }) => Values?.length)).toEqual([MAX_VALUES, undefined]);
  expect(buffer.take()?.data).toHaveLength(2);
  expect(buffer.take()).toBeUndefined();

  for (let id = 0; id < 900; id++) {
    for (let value = 0; value < MAX_VALUES; value++) {
      buffer.add(sample(1e15 + value, { dimensions: { FunctionId: `f${id}` } }));
    }
  }
  let sent = 0;
  for (let batch = buffer.take(); batch !== undefined; batch = buffer.take()) {
    expect(JSON.stringify(batch.data).length).toBeLessThanOrEqual(MAX_BYTES + 1);
    sent += batch.data.length;
  }
  expect(sent).toBe(900);
});

test('is bounded: the oldest go, and are counted', () => {
  const buffer = new MetricBuffer(3);
  for (const [at, id] of ['a', 'b', 'b', 'c', 'd'].entries())
    buffer.add(sample(at, { dimensions: { FunctionId: id } }));
  expect(buffer.size).toBe(2);
  expect(buffer.dropped).toBe(3);
  expect(buffer.take()?.data.map(({ Dimensions }) => Dimensions?.[0]?.Value)).toEqual(['c', 'd']);
  expect(buffer.size).toBe(0);
});

test('what could not be sent is the oldest again, within the bound', () => {
  const buffer = new MetricBuffer(3);
  buffer.add(sample(1, { dimensions: { FunctionId: 'a' } }));
  buffer.add(sample(2, { dimensions: { FunctionId: 'b' } }));
  const batch = buffer.take();
  if (batch === undefined) return expect.unreachable();
  buffer.add(sample(3, { dimensions: { FunctionId: 'a' } }));
  buffer.restore(batch);
  expect(buffer.size).toBe(3);
  buffer.add(sample(4, { dimensions: { FunctionId: 'c' } }));
  expect(buffer.dropped).toBe(1);
  expect(buffer.take()?.data.map(({ Value }) => Value)).toEqual([2, 3, 4]);
});
