/** What a function's own environment variables may be. Owns no state. */

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const MOST = 100;
/** Lambda's limit, in bytes, is 4 KiB; Linux's for one string is 128 KiB. */
const MAX_BYTES = 16 << 10;
/** Set for every job by NanoGrid itself. */
const OWN = new Set([
  'PAYLOAD',
  'PAYLOAD_FILE',
  'HANDLER',
  'JOB_ID',
  'REQUEST_ID',
  'FUNCTION_ID',
  'OUTPUT_DIR',
  'AI_ENDPOINT',
]);

/** What is wrong with a value as environment variables, to follow its name in a sentence; undefined where nothing is. */
export function environmentFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object of texts by name';
  const entries = Object.entries(value);
  if (entries.length > MOST) return `holds ${entries.length} variables, but may hold at most ${MOST}`;
  let bytes = 0;
  for (const [name, text] of entries) {
    if (!NAME.test(name)) return `holds ${JSON.stringify(name.slice(0, 64))}, which is no name of a variable`;
    if (OWN.has(name)) return `holds ${name}, which NanoGrid sets itself`;
    if (typeof text !== 'string' || text.includes('\0')) return `holds ${name}, which must be a text without NUL`;
    bytes += name.length + Buffer.byteLength(text) + 2;
  }
  return bytes > MAX_BYTES ? `takes ${bytes} bytes, but may take at most ${MAX_BYTES}` : undefined;
}
