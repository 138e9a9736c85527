/** A collector for tests: takes OTLP over HTTP as JSON, on loopback. Owns the spans that it was sent. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

type OtlpValue = { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
type OtlpAttributes = readonly { readonly key: string; readonly value: OtlpValue }[];

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: OtlpAttributes;
  readonly status: { readonly code?: number; readonly message?: string };
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpAttributes };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  /** 2 is an error. */
  readonly statusCode: number;
  readonly statusMessage: string | undefined;
}

export type Behaviour = 'take' | 'refuse' | 'hang';

export interface OtlpReceiver {
  /** `http://127.0.0.1:…` */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Headers of the last request. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly requests: number;
  /** How it answers from now on: takes, refuses with 503, or never answers. */
  behave(how: Behaviour): void;
  /** Resolves when `found` holds of what was taken. */
  until(found: (spans: readonly ReceivedSpan[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const waiting = new Set<() => void>();
  let behaviour: Behaviour = 'take';
  let headers = {};
  let requests = 0;
  const server = createServer(async (request, response) => {
    requests++;
    headers = request.headers;
    if (behaviour === 'hang') return;
    const content = (await json(request)) as OtlpRequest;
    if (request.url !== '/v1/traces' || behaviour === 'refuse') {
      response.writeHead(request.url === '/v1/traces' ? 503 : 404).end();
      return;
    }
    spans.push(...read(content));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    for (const wake of waiting) wake();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get headers() {
      return headers;
    },
    get requests() {
      return requests;
    },
    behave: (how) => {
      behaviour = how;
    },
    async until(found) {
      while (!found(spans)) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function read({ resourceSpans }: OtlpRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || undefined,
        name: span.name,
        kind: span.kind,
        startedAt: toMs(span.startTimeUnixNano),
        endedAt: toMs(span.endTimeUnixNano),
        attributes: plain(span.attributes),
        resource: plain(resource.attributes),
        statusCode: span.status.code ?? 0,
        statusMessage: span.status.message,
      })),
    ),
  );
}

/** To the microsecond: nanoseconds since 1970 are more than a number holds. */
function toMs(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000;
}

function plain(attributes: OtlpAttributes): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? boolValue ?? Number(intValue ?? doubleValue),
    ]),
  );
}
