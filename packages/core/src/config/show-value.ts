/** Shows a value in a message: short, on one line, and with nothing secret in it. Owns no state. */

const MAX_LENGTH = 80;
const SECRET_KEY = /(pass(words?|wd|phrase)?|secrets?|tokens?|credentials?|signature|key(id|s)?)$/i;

/** Written in place of a secret. */
export const REDACTED = '***';

/** Whether a key's name suggests that its value is a secret: `password`, `clientSecret`, `token`, `apiKey`, `accessKeyId` and the like. */
export function looksSecret(key: string): boolean {
  return SECRET_KEY.test(key.replace(/[-_\s]/g, ''));
}

/** What each pattern below needs at least: most texts hold none of it, and are looked at once. */
const SUSPICIOUS = /:\/\/|[?&=]|"\s*:|A[A-Z]{2}A[A-Z0-9]{12}|bearer|authorization/i;

/**
 * Replaces by `***`: the user part of URLs, query parameters with telling names (a presigned URL's signature), access
 * keys of AWS, the value of an `Authorization`, and values after `password=`, `"secretAccessKey": ` and the like.
 */
export function redactText(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, `$1${REDACTED}@`)
    .replace(/([?&])([^=&\s]+)=([^&#\s"'<>]*)/g, (whole, mark: string, key: string) =>
      looksSecret(key) ? `${mark}${key}=${REDACTED}` : whole,
    )
    .replace(/\b(A(?:KIA|SIA|ROA|IDA))[A-Z0-9]{12,}\b/g, `$1${REDACTED}`)
    .replace(/\b(Credential|Signature)=[^,&\s"']+/g, `$1=${REDACTED}`)
    .replace(/(\bauthorization["']?\s*[:=]\s*["']?)[^"',\r\n]+/gi, `$1${REDACTED}`)
    .replace(/\b(bearer)\s+[\w.~+/=-]{12,}/gi, `$1 ${REDACTED}`)
    .replace(
      /(\b[\w-]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|session[_-]?token)["']?\s*(?:=|(?<=")\s*:)\s*["']?)[^\s"',;&]+/gi,
      `$1${REDACTED}`,
    );
}

/** The value as it would stand in a file, cut at 80 characters; functions and numbers like NaN by name. */
export function showValue(value: unknown): string {
  const text = redactText(literal(value));
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}

function literal(value: unknown): string {
  if (typeof value === 'function') return `[function ${value.name || 'without a name'}]`;
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  }
  try {
    return JSON.stringify(value, (key, inner) => (key !== '' && looksSecret(key) ? REDACTED : inner)) ?? '[object]';
  } catch {
    return '[object]';
  }
}
