/** The settings that every client of an AWS service shares, and what the SDK is given for them. Owns no state. */

import { NodeHttpHandler } from '@smithy/node-http-handler';

/** Options that each plugin of an AWS service has; spread into its `optionsSchema.properties`. */
export const clientOptions = {
  region: {
    type: 'string',
    pattern: '^[a-z0-9-]{1,64}$',
    default: 'ap-northeast-2',
    description: 'AWS region of the service.',
  },
  endpoint: {
    type: 'string',
    pattern: '^https?://[^\\s]+$',
    description: 'URL of the service where it is not AWS’s own, for instance an emulator’s. Default: AWS’s.',
  },
  requestTimeoutMs: {
    type: 'integer',
    minimum: 100,
    maximum: 600_000,
    default: 30_000,
    description: 'Longest silence of one request, in milliseconds; a long poll’s own wait comes on top.',
  },
} as const;

/** The environment variables of `clientOptions` for a service, named as the SDK names it (`SQS`, `S3`, `CLOUDWATCH`, `DYNAMODB`). */
export function clientEnv<Service extends string>(service: Service) {
  return {
    AWS_REGION: 'region',
    [`AWS_ENDPOINT_URL_${service}`]: 'endpoint',
    AWS_ENDPOINT_URL: 'endpoint',
  } as { AWS_REGION: 'region'; AWS_ENDPOINT_URL: 'endpoint' } & Record<`AWS_ENDPOINT_URL_${Service}`, 'endpoint'>;
}

/** `clientOptions` as a plugin gets them. */
export interface ClientOptions {
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly requestTimeoutMs: number;
}

/**
 * The configuration of an SDK client. Credentials come from the SDK's own chain (variables, profile, role). A request
 * is tried three times by the SDK, each for at most the time-out; then the caller's own back-off begins.
 * `waitMs` is how long the service may hold a request by itself (a long poll), in milliseconds. Default 0.
 */
export function clientConfig({ region, endpoint, requestTimeoutMs }: ClientOptions, waitMs = 0) {
  const silenceMs = requestTimeoutMs + waitMs;
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 3,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: Math.min(5_000, requestTimeoutMs),
      requestTimeout: silenceMs,
      throwOnRequestTimeout: true,
      // The first bounds the wait for an answer's head; an answer that stops half-way is only seen by this one.
      socketTimeout: silenceMs,
      httpAgent: { keepAlive: true, maxSockets: 256 },
      httpsAgent: { keepAlive: true, maxSockets: 256 },
    }),
  };
}
