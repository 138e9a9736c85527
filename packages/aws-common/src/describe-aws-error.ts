/** Says in one sentence what went wrong with a request to AWS, of which kind it is, and which setting to change. Owns no state. */

import { asSdkError, isTimeout, namesOf, reasonOf, regionOf, statusOf } from './sdk-error.js';

/** What an operator can tell apart. */
export type AwsFailureKind =
  /** The key, token or signature is refused, expired or absent. */
  | 'credentials'
  /** The identity is known and may not do this. */
  | 'denied'
  /** The queue, bucket, object or table does not exist. */
  | 'missing'
  /** The service lives in another region. */
  | 'region'
  | 'throttled'
  /** The service cannot be reached, or answers 5xx. */
  | 'unavailable'
  /** No answer in time. */
  | 'timeout'
  /** The request itself is refused. */
  | 'invalid';

export interface AwsFailure {
  readonly kind: AwsFailureKind;
  /** One sentence. */
  readonly message: string;
  /** What to change. */
  readonly hint: string;
}

export interface AwsFailureContext {
  /** What was tried, for instance `Receiving from the SQS queue https://…`. */
  readonly action: string;
  /** The setting that names the resource, as `host.optionSource` tells it. */
  readonly resource: string;
  readonly region: string;
  /** The option of the region, as `host.optionSource` tells it. */
  readonly regionSource: string;
  readonly endpoint?: string | undefined;
  /** The option of the endpoint, as `host.optionSource` tells it. Default: `the option endpoint`. */
  readonly endpointSource?: string | undefined;
}

/** By the error's name; the first that fits counts. */
const KINDS: readonly (readonly [AwsFailureKind, RegExp])[] = [
  [
    'credentials',
    /^(?:UnrecognizedClient|InvalidClientTokenId|ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch|AuthFailure|InvalidToken|MissingAuthenticationToken|CredentialsProviderError|TokenProviderError|TokenRefreshRequired|RequestExpired|InvalidSignature|RequestTimeTooSkewed|IncompleteSignature|NotSignedUp|OptInRequired)/,
  ],
  ['denied', /^(?:AccessDenied|Forbidden|AllAccessDisabled|UnauthorizedOperation|NotAuthorized|KmsAccessDenied|KMS\.)/],
  [
    'missing',
    /^(?:NoSuchBucket|NoSuchKey|NotFound|NoSuchVersion|QueueDoesNotExist|NonExistentQueue|AWS\.SimpleQueueService\.NonExistentQueue|ResourceNotFound|QueueDeletedRecently)/,
  ],
  ['region', /^(?:PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|MovedPermanently)/],
  [
    'throttled',
    /^(?:Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ProvisionedThroughputExceeded|RequestThrottled|OverLimit|LimitExceeded)/,
  ],
];

/** Sorts an error of the SDK; what it does not know is `unavailable` where the service failed or was not reached, else `invalid`. */
export function awsFailureKind(error: unknown): AwsFailureKind {
  const sdkError = asSdkError(error);
  const names = namesOf(sdkError);
  for (const [kind, pattern] of KINDS) if (names.some((name) => pattern.test(name))) return kind;
  if (isTimeout(sdkError)) return 'timeout';
  const status = statusOf(sdkError);
  if (status === 403 || status === 401) return 'denied';
  if (status === 404) return 'missing';
  if (status === 301 || status === 307) return 'region';
  if (status === 429) return 'throttled';
  if (status !== undefined && status >= 400 && status < 500) return 'invalid';
  return 'unavailable';
}

/** The failure as an operator should read it. */
export function describeAwsError(error: unknown, context: AwsFailureContext): AwsFailure {
  const kind = awsFailureKind(error);
  const sdkError = asSdkError(error);
  const message = `${context.action} failed: ${reasonOf(sdkError, error)}.`;
  return { kind, message, hint: hintFor(kind, context, regionOf(sdkError)) };
}

function hintFor(kind: AwsFailureKind, context: AwsFailureContext, actualRegion: string | undefined): string {
  const { resource, region, regionSource, endpoint, endpointSource = 'the option endpoint' } = context;
  switch (kind) {
    case 'credentials':
      return 'Give valid credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones), AWS_PROFILE, or a role of this machine; check its clock too.';
    case 'denied':
      return `Allow it in the policy of the credentials in use, or correct ${resource}.`;
    case 'missing':
      return `Make it, or correct ${resource}; it was looked for in the region ${region}: ${regionSource}.`;
    case 'region':
      return `It lives in ${actualRegion ?? `another region than ${region}`}: correct ${regionSource}.`;
    case 'throttled':
      return 'The service asks for fewer requests; it is tried again with growing delays. Raise the quota where it lasts.';
    case 'timeout':
    case 'unavailable': {
      const where = endpoint === undefined ? `AWS in ${region}` : endpoint;
      const setting = endpoint === undefined ? regionSource : endpointSource;
      return `Check that ${where} can be reached from here: network, proxy, ${setting}.`;
    }
    case 'invalid':
      return `Check ${resource} and the options of the plugin.`;
  }
}
