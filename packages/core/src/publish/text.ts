/** Turns what a process wrote into text that is safe to publish. Owns no state. */

import { isUtf8 } from 'node:buffer';

/** The longest last line that is tried as JSON, in bytes: the default cap of a job's input. */
const MAX_JSON_LINE_BYTES = 6 * 1024 * 1024;

/** Deeper values are no result: writing them as JSON again would overflow the stack, at some thousand levels. */
const MAX_JSON_DEPTH = 1000;

/**
 * The first `capBytes` bytes of `chunks` as valid UTF-8 of at most `capBytes` bytes. Invalid sequences become U+FFFD;
 * a character that the cut splits is dropped. `cutBefore` says that the chunks were cut already where they end.
 */
export function decodeCapped(chunks: readonly Uint8Array[], capBytes: number, cutBefore = false): string {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined && only.length <= capBytes && isUtf8(only)) {
    return Buffer.from(only.buffer, only.byteOffset, only.length).toString('utf8');
  }
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const parts: string[] = [];
  let left = capBytes;
  let cut = false;
  for (const chunk of chunks) {
    cut = chunk.length > left;
    const part = cut ? chunk.subarray(0, left) : chunk;
    parts.push(decoder.decode(part, { stream: true }));
    left -= part.length;
    if (cut) break;
  }
  // An unfinished character is dropped where we cut it, and shown as broken where the process left it so.
  if (!cut && !cutBefore) parts.push(decoder.decode());
  return cutText(parts.join(''), capBytes);
}

/** U+FFFD takes three bytes and may stand for one, so text can grow past the cap of its bytes. */
function cutText(text: string, capBytes: number): string {
  if (text.length * 3 <= capBytes || Buffer.byteLength(text) <= capBytes) return text;
  // encodeInto writes whole characters only.
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(capBytes));
  return text.slice(0, read);
}

/** `text` without escape sequences of terminals; other control characters become spaces. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, '').replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** The value of the last line of `stdout` that holds anything; undefined where that is not JSON, or longer than 6 MiB. */
export function lastLineJson(stdout: string): unknown {
  const text = stdout.trimEnd();
  if (text === '') return undefined;
  const line = text.slice(text.lastIndexOf('\n') + 1);
  if (line.length > MAX_JSON_LINE_BYTES || Buffer.byteLength(line) > MAX_JSON_LINE_BYTES) return undefined;
  return parseJsonValue(line);
}

/** What a function gave as JSON; undefined where it is none, or nested more than 1,000 levels deep. */
export function parseJsonValue(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return depthOf(text) > MAX_JSON_DEPTH ? undefined : value;
  } catch {
    return undefined;
  }
}

/** How deep a valid JSON text is nested. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    else if (quoted) at += character === '\\' ? 1 : 0;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth -= 1;
  }
  return deepest;
}
