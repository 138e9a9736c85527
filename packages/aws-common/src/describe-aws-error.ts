/** Says in one sentence what went wrong with a request to AWS, of which kind it is, and which setting to change. Owns no state. */

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
}

const CREDENTIALS =
  /^(?:UnrecognizedClient|InvalidClientTokenId|ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch|AuthFailure|InvalidToken|MissingAuthenticationToken|CredentialsProviderError|TokenRefreshRequired|RequestExpired|InvalidSignature|RequestTimeTooSkewed|IncompleteSignature)/;
const DENIED =
  /^(?:AccessDenied|Forbidden|AllAccessDisabled|UnauthorizedOperation|NotAuthorized|KmsAccessDenied|KMS\.)/;
const MISSING =
  /^(?:NoSuchBucket|NoSuchKey|NotFound|NoSuchVersion|QueueDoesNotExist|NonExistentQueue|AWS\.SimpleQueueService\.NonExistentQueue|ResourceNotFound|QueueDeletedRecently)/;
const REGION = /^(?:PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|MovedPermanently)/;
const THROTTLED =
  /^(?:Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ProvisionedThroughputExceeded|RequestThrottled|OverLimit|LimitExceeded)/;
const TIMEOUT = /^(?:TimeoutError|RequestTimeout|ETIMEDOUT|ESOCKETTIMEDOUT)/;

/** Sorts an error of the SDK; what it does not know is `unavailable` where the service failed or was not reached, else `invalid`. */
export function awsFailureKind(error: unknown): AwsFailureKind {
  const { name = '', code = '', Code = '', $metadata } = error as Partial<SdkError>;
  const is = (pattern: RegExp) => [name, code, Code].some((text) => typeof text === 'string' && pattern.test(text));
  if (is(CREDENTIALS)) return 'credentials';
  if (is(DENIED)) return 'denied';
  if (is(MISSING)) return 'missing';
  if (is(REGION)) return 'region';
  if (is(THROTTLED)) return 'throttled';
  if (is(TIMEOUT)) return 'timeout';
  const status = $metadata?.httpStatusCode;
  if (status === 403 || status === 401) return 'denied';
  if (status === 404) return 'missing';
  if (status === 301 || status === 307) return 'region';
  if (status === 429 || status === 503) return 'throttled';
  if (status !== undefined && status >= 400 && status < 500) return 'invalid';
  return 'unavailable';
}

/** The failure as an operator should read it. */
export function describeAwsError(error: unknown, context: AwsFailureContext): AwsFailure {
  const kind = awsFailureKind(error);
  return { kind, message: `${context.action} failed: ${reasonOf(error)}.`, hint: hintFor(kind, context) };
}

interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly Code: string;
  readonly errors: readonly Error[];
  readonly $metadata: { readonly httpStatusCode?: number };
}

function reasonOf(error: unknown): string {
  const { name, message, errors, $metadata } = error as Partial<SdkError>;
  // Node's AggregateError of a refused connection says nothing itself.
  const text = message || errors?.map((inner) => inner.message).join('; ') || String(error);
  const status = $metadata?.httpStatusCode;
  const label = name === undefined || name === 'Error' || text.includes(name) ? '' : `${name}: `;
  return `${label}${text.replace(/\.\s*$/, '')}${status === undefined ? '' : ` (HTTP ${status})`}`;
}

function hintFor(kind: AwsFailureKind, { resource, region, regionSource, endpoint }: AwsFailureContext): string {
  const where = endpoint === undefined ? `AWS in ${region}` : endpoint;
  switch (kind) {
    case 'credentials':
      return 'Give valid credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary ones), AWS_PROFILE, or a role of this machine; check its clock too.';
    case 'denied':
      return `Allow it in the policy of the credentials in use, or correct ${resource}.`;
    case 'missing':
      return `Make it, or correct ${resource}; it was looked for in the region ${region}: ${regionSource}.`;
    case 'region':
      return `It lives in another region than ${region}: correct ${regionSource}.`;
    case 'throttled':
      return 'The service asks for fewer requests; it is tried again with growing delays. Raise the quota where it lasts.';
    case 'timeout':
    case 'unavailable':
      return `Check that ${where} can be reached from here: network, proxy, ${endpoint === undefined ? regionSource : 'the option endpoint'}.`;
    case 'invalid':
      return `Check ${resource} and the options of the plugin.`;
  }
}
