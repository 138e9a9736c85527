/** Shows a value in a message: short, on one line, and with nothing secret in it. Owns no state. */

const MAX_LENGTH = 80;
const SECRET_KEY = /(pass(words?|wd|phrase)?|secrets?|tokens?|credentials?|signature|key(id|s)?)$/i;

/** Written in place of a secret. */
export const REDACTED = '***';

/** Whether a key's name suggests that its value is a secret: `password`, `clientSecret`, `token`, `apiKey`, `accessKeyId` and the like. */
export function looksSecret(key: string): boolean {
  return SECRET_KEY.test(key.replace(/[-_\s]/g, ''));
}

/** Replaces the user part of URLs, and query parameters with telling names, by `***`. */
export function redactText(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, `$1${REDACTED}@`)
    .replace(/([?&])([^=&\s]+)=([^&#\s]*)/g, (whole, mark: string, key: string) =>
      looksSecret(key) ? `${mark}${key}=${REDACTED}` : whole,
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
