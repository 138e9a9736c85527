/** A whole worker with the CloudWatch plugin, against a receiver that speaks CloudWatch's wire format, behind a proxy with faults. */

import { cloudwatch } from '@nanogrid/plugin-cloudwatch';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AWS_ENVIRONMENT } from '../support/services/aws-clients.js';
import { startCloudWatch } from '../support/services/cloudwatch.js';
import { startHttpFaultProxy } from '../support/services/http-fault-proxy.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker } from '../support/test-worker.js';

const code = { 'main.sh': 'echo \'"done"\'' };

test('each job’s peak arrives once, also where CloudWatch hung while jobs ran; no job waits for it', async () => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  await using receiver = await startCloudWatch();
  await using proxy = await startHttpFaultProxy(receiver.endpoint);
  const worker = await startTestWorker({
    runtimes: [shell],
    plugins: [cloudwatch({ flushIntervalMs: 1_000, requestTimeoutMs: 60_000 })],
    env: { ...AWS_ENVIRONMENT, AWS_ENDPOINT_URL_CLOUDWATCH: proxy.endpoint },
  });
  const results = [];
  try {
    const { hit } = await proxy.fail({ kind: 'hang' });
    results.push(await worker.run(code, { runtime: 'shell', functionId: 'hello' }));
    await hit;
    for (let job = 0; job < 3; job++) results.push(await worker.run(code, { runtime: 'shell', functionId: 'hello' }));
    await expect.poll(async () => (await worker.worker.health()).status).toBe('healthy');
    expect(receiver.requests).toEqual([]);
    // What hung is cut off and sent again.
    await proxy.clear();
  } finally {
    await worker.close();
  }
  const sent = receiver.requests.flatMap(({ body }) => body.MetricData) as readonly {
    MetricName: string;
    Unit: string;
    Dimensions: unknown;
    Value?: number;
    Values?: number[];
    Counts?: number[];
  }[];
  const peaks = sent.flatMap(({ Value, Values = [], Counts = [] }) =>
    Value === undefined ? Values.flatMap((value, at) => Array(Counts[at]).fill(value)) : [Value],
  );
  expect(results.map(({ status }) => status)).toEqual(Array(4).fill('SUCCESS'));
  expect(peaks.sort()).toEqual(results.map(({ peakMemoryBytes }) => peakMemoryBytes).sort());
  for (const { MetricName, Unit, Dimensions } of sent) {
    expect([MetricName, Unit]).toEqual(['PeakMemoryBytes', 'Bytes']);
    expect(Dimensions).toEqual([
      { Name: 'FunctionId', Value: 'hello' },
      { Name: 'Runtime', Value: 'shell' },
    ]);
  }
  expect(new Set(receiver.requests.map(({ body }) => body.Namespace))).toEqual(new Set(['NanoGrid/FunctionRunner']));
});
