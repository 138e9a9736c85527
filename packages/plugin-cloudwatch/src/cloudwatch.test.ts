import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  type Job,
  type JobResult,
  silentLogger,
  type WorkerStatus,
} from '@nanogrid/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { cloudwatch } from './cloudwatch.js';

interface Received {
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: { Namespace: string; MetricData: Record<string, unknown>[] };
}

/** A service that records what it is sent, as CloudWatch is sent it. */
async function startService(answer: (response: ServerResponse) => void = (response) => void response.end()) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const bytes = await buffer(request);
    const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
    received.push({
      line: `${request.method} ${request.url}`,
      headers: request.headers,
      body: JSON.parse(String(text)),
    });
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

const refusing = (status: number, type: string) => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify({ __type: type, message: 'As CloudWatch says it.' }));
};

async function host(options: Parameters<typeof cloudwatch>[0], env = {}, status?: () => Promise<WorkerStatus>) {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  const hooks = createGuardedHooks({ log: silentLogger });
  const registry = await createPluginHost({
    config: {} as CoreConfig,
    hooks,
    log: silentLogger,
    env,
    ...(status === undefined ? {} : { status }),
    plugins: [cloudwatch(options)],
  });
  await registry.start();
  onTestFinished(async () => {
    await registry.stop();
    vi.unstubAllEnvs();
  });
  return { hooks, registry };
}

const result = (functionId: string | undefined, peakMemoryBytes: number | undefined) =>
  ({ requestId: 'j', functionId, runtime: 'python', peakMemoryBytes }) as JobResult;

test('the wire: AWS JSON 1.0, namespace, metric, unit and dimensions of the contract', async () => {
  const { endpoint, received } = await startService();
  const { hooks, registry } = await host({ endpoint, region: 'eu-west-1' });
  const before = Math.floor(Date.now() / 1_000);
  await hooks.onResult.promise(result('hello', 12_345_678), {} as Job);
  await hooks.onResult.promise(result(undefined, 1), {} as Job);
  await hooks.onResult.promise(result('never-ran', undefined), {} as Job);
  expect(received).toEqual([]);
  await registry.stop();
  expect(received).toHaveLength(1);
  const [{ line, headers, body }] = received as [Received];
  expect(line).toBe('POST /');
  expect(headers).toMatchObject({
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': 'GraniteServiceVersion20100801.PutMetricData',
    authorization: expect.stringContaining('/eu-west-1/monitoring/aws4_request'),
  });
  const timestamp = body.MetricData[0]?.Timestamp as number;
  expect(timestamp).toBeGreaterThanOrEqual(before);
  expect(body).toEqual({
    Namespace: 'NanoGrid/FunctionRunner',
    MetricData: [
      {
        MetricName: 'PeakMemoryBytes',
        Dimensions: [
          { Name: 'FunctionId', Value: 'hello' },
          { Name: 'Runtime', Value: 'python' },
        ],
        Timestamp: timestamp,
        Value: 12_345_678,
        Unit: 'Bytes',
      },
      {
        MetricName: 'PeakMemoryBytes',
        Dimensions: [
          { Name: 'FunctionId', Value: 'unknown' },
          { Name: 'Runtime', Value: 'python' },
        ],
        Timestamp: expect.any(Number),
        Value: 1,
        Unit: 'Bytes',
      },
    ],
  });
});

test.each([
  [{}, 'gzip'],
  [{ AWS_DISABLE_REQUEST_COMPRESSION: 'true' }, undefined],
])('a large request under %j is sent as %s', async (env, encoding) => {
  const { endpoint, received } = await startService();
  const { hooks, registry } = await host({ endpoint }, env);
  for (let id = 0; id < 1_001; id++) await hooks.onResult.promise(result(`function-${id}`, id), {} as Job);
  await registry.stop();
  expect(received.map(({ body }) => body.MetricData.length)).toEqual([1_000, 1]);
  expect(received.map(({ headers }) => headers['content-encoding'])).toEqual([encoding, undefined]);
});

test('a result is not held up by a service that never answers', async () => {
  const { endpoint } = await startService(() => {});
  const { hooks, registry } = await host({ endpoint, requestTimeoutMs: 100 });
  await hooks.onResult.promise(result('hello', 1), {} as Job);
  const figures = () => Object.fromEntries(registry.figures().map(({ name, value }) => [name, value]));
  expect(figures()).toEqual({
    cloudwatch_buffered_values: 1,
    cloudwatch_dropped_values_total: 0,
    cloudwatch_failing: 0,
  });
  await registry.stop();
  expect(figures()).toMatchObject({ cloudwatch_buffered_values: 1, cloudwatch_failing: 1 });
});

test("the worker's own figures, where they are asked for", async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const { endpoint, received } = await startService();
  const status = async () => ({ activeJobs: 2, slots: { total: 4, free: 2 }, queue: { waiting: 7 } }) as WorkerStatus;
  const { registry } = await host({ endpoint, workerMetrics: true, fleet: 'blue' }, {}, status);
  await vi.advanceTimersByTimeAsync(90_000);
  vi.useRealTimers();
  await registry.stop();
  const data = received.flatMap(({ body }) => body.MetricData);
  const of = (name: string) => data.find(({ MetricName }) => MetricName === name);
  const blue = [{ Name: 'Fleet', Value: 'blue' }];
  expect(of('Workers')).toMatchObject({ Value: 1, Unit: 'Count', Dimensions: blue });
  expect(of('ActiveJobs')).toMatchObject({ Value: 2 });
  expect(of('FreeSlots')).toMatchObject({ Value: 2 });
  expect(of('QueueBacklog')).toMatchObject({ Value: 7, Dimensions: blue });
});

test('doctor: the permission is looked at, and no metric is sent', async () => {
  const validation = refusing(400, 'MissingRequiredParameterException');
  const denial = refusing(403, 'AccessDeniedException');
  const find = async (answer: (response: ServerResponse) => void) => {
    const { endpoint, received } = await startService(answer);
    const { registry } = await host({ endpoint, region: 'eu-west-1' });
    const [finding] = await registry.diagnose();
    for (const { body } of received) expect(body.MetricData ?? []).toEqual([]);
    return finding;
  };
  const allowed = {
    name: 'CloudWatch metrics',
    status: 'ok',
    found: 'may be sent to NanoGrid/FunctionRunner in eu-west-1; nothing was sent',
  };
  expect(await find(validation)).toEqual(allowed);
  expect(await find((response) => void response.end())).toEqual(allowed);
  expect(await find(denial)).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('AccessDeniedException: As CloudWatch says it (HTTP 403)'),
    hint: expect.stringContaining('Allow it in the policy'),
  });
  expect(await find(refusing(403, 'UnrecognizedClientException'))).toMatchObject({
    hint: expect.stringContaining('AWS_ACCESS_KEY_ID'),
  });
});

test.each([
  [{ namespace: 'AWS/EC2' }, 'a namespace of CloudWatch'],
  [{ flushIntervalMs: 1 }, 'flushIntervalMs'],
  [{ fleet: '' }, 'fleet'],
])('refuses %j', async (options, reason) => {
  await expect(host(options)).rejects.toMatchObject({
    code: 'NG_PLUGIN_INVALID',
    message: expect.stringContaining(reason),
  });
});
