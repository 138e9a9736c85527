/** Reads what the SDK throws: its names, its status, and the one sentence in it. Owns no state. */

/** The parts of an SDK's error that are looked at; each may be missing, and none is to be trusted. */
export interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly Region?: unknown;
  readonly errors?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown } | undefined;
  readonly $response?:
    | { readonly statusCode?: unknown; readonly headers?: Readonly<Record<string, unknown>> }
    | undefined;
}

/** Longest reason that is shown, in characters: a proxy's page would fill the screen. */
const MAX_REASON = 500;
const TIMEOUT = /^(?:TimeoutError|RequestTimeout|ETIMEDOUT|ESOCKETTIMEDOUT)/;
/** What the SDK says where the answer had no body (to HEAD), or named nothing. */
const SAYS_NOTHING = /^(?:Unknown|UnknownError)$/;

/** Anything that was thrown, as an SDK's error. */
export function asSdkError(error: unknown): SdkError {
  return typeof error === 'object' && error !== null ? error : {};
}

/** Everything that may name the failure. */
export function namesOf({ name, code, Code }: SdkError): string[] {
  // The SDK calls a connection that was cut a time-out, too.
  const isCut = code === 'ECONNRESET' || code === 'EPIPE';
  return [isCut ? undefined : name, code, Code].filter((text) => typeof text === 'string');
}

/** HTTP status of the answer; undefined where there was none. */
export function statusOf({ $metadata, $response }: SdkError): number | undefined {
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

export function isTimeout(error: SdkError): boolean {
  return namesOf(error).some((name) => TIMEOUT.test(name));
}

/** The region that S3 names where another one was asked. */
export function regionOf({ Region, $response }: SdkError): string | undefined {
  const region = Region ?? $response?.headers?.['x-amz-bucket-region'];
  return typeof region === 'string' && /^[a-z0-9-]{1,64}$/.test(region) ? region : undefined;
}

/** Why it failed, in one line without a full stop. `thrown` is the error itself, for what is no object. */
export function reasonOf(error: SdkError, thrown: unknown): string {
  const status = statusOf(error);
  const name = namesOf(error).find((text) => text !== 'Error' && !SAYS_NOTHING.test(text));
  const text = sentence(error, thrown);
  const known = text === undefined || SAYS_NOTHING.test(text) ? undefined : text;
  const label = name !== undefined && known?.includes(name) ? undefined : name;
  const parts = [label, known].filter((part) => part !== undefined);
  if (parts.length === 0) return status === undefined ? 'no reason was given' : `the answer was HTTP ${status}`;
  return `${parts.join(': ')}${status === undefined ? '' : ` (HTTP ${status})`}`;
}

function sentence({ message, errors }: SdkError, thrown: unknown): string | undefined {
  // Node's AggregateError of a refused connection says nothing itself.
  const inner = Array.isArray(errors) ? errors.map((each) => (each as Error)?.message).filter(Boolean) : [];
  const own = typeof message === 'string' && message !== '' ? message : undefined;
  const text = own ?? (inner.length > 0 ? inner.join('; ') : typeof thrown === 'object' ? undefined : String(thrown));
  if (text === undefined) return undefined;
  // The SDK adds an instruction for programmers to what it could not read.
  const [start = ''] = text.split(/\s*Deserialization error:/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an answer must not write on the operator's terminal
  const line = start.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  const what = start === text ? line : `the answer cannot be read: ${line}`;
  const short = what.length > MAX_REASON ? `${what.slice(0, MAX_REASON - 1)}…` : what;
  return short.replace(/\.$/, '');
}
