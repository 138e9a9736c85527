/** A receiver of metrics that speaks CloudWatch's wire format as the SDK sends it, and keeps what came. No emulator is read by the current SDK. Owns the socket. */

import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { FaultListener } from './fault-listener.js';

export interface Metric {
  readonly MetricName: string;
  readonly Value?: number;
  readonly Unit?: string;
  /** Unix seconds. */
  readonly Timestamp?: number;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
}

export interface MetricRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** `gzip`, or undefined. */
  readonly encoding: string | undefined;
  readonly body: { readonly Namespace: string; readonly MetricData: readonly Metric[] };
}

export interface CloudWatch {
  readonly endpoint: string;
  /** As they came. What is no PutMetricData is refused, and not here. */
  readonly requests: readonly MetricRequest[];
  readonly metrics: (namespace: string) => readonly Metric[];
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export async function startCloudWatch(): Promise<CloudWatch> {
  const requests: MetricRequest[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const bytes = await buffer(incoming);
    const type = { 'content-type': 'application/x-amz-json-1.0' };
    if (method !== 'POST' || url !== '/' || headers['x-amz-target'] !== 'GraniteServiceVersion20100801.PutMetricData') {
      outgoing.writeHead(400, type).end(JSON.stringify({ __type: 'UnknownOperationException' }));
      return;
    }
    const encoding = headers['content-encoding'];
    const body = JSON.parse(String(encoding === 'gzip' ? gunzipSync(bytes) : bytes)) as MetricRequest['body'];
    requests.push({ headers, encoding, body });
    outgoing.writeHead(200, type).end();
  });
  const listener = new FaultListener(server);
  await listener.open();
  const close = () => listener.shut();
  return {
    endpoint: `http://127.0.0.1:${listener.port}`,
    requests,
    metrics: (namespace) =>
      requests.filter(({ body }) => body.Namespace === namespace).flatMap(({ body }) => body.MetricData),
    close,
    [Symbol.asyncDispose]: close,
  };
}
