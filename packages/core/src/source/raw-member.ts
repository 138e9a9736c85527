/** Cuts one member's value out of a JSON object's text unchanged, so that no number loses digits on its way. Owns no state. */

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/**
 * The text of the value of `name` in `text`, trimmed; the last one where the name appears twice, as `JSON.parse` has
 * it. Undefined where there is none. `text` must be a JSON object that `JSON.parse` accepts.
 */
export function rawMember(text: string, name: string): string | undefined {
  let found: string | undefined;
  for (let at = text.indexOf('{') + 1; ; ) {
    const open = text.indexOf('"', at);
    if (open === -1) return found;
    const afterKey = skipString(text, open);
    const start = text.indexOf(':', afterKey) + 1;
    const end = skipValue(text, start);
    if (isName(text.slice(open, afterKey), name)) found = text.slice(start, end).trim();
    if (text.charCodeAt(end) !== COMMA) return found;
    at = end + 1;
  }
}

/** Decoded where it must be, since a name may be written with escapes. */
function isName(key: string, name: string): boolean {
  return key.includes('\\') ? JSON.parse(key) === name : key === `"${name}"`;
}

/** The offset of the `,` or `}` that ends the member whose value begins at `start`. */
function skipValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = skipString(text, at) - 1;
    else if (OPENING.has(code)) depth += 1;
    else if (depth === 0 && (code === COMMA || CLOSING.has(code))) return at;
    else if (CLOSING.has(code)) depth -= 1;
  }
  return text.length;
}

/** The offset behind the string that begins at `start`. */
function skipString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end + 1;
  }
  return text.length;
}
