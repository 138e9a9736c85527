/**
 * A result as its row holds it: JSON, and beside it the long texts as they are. JSON takes up to six bytes for one of
 * theirs, and the driver copies what it is given several times. Owns no state.
 */

export type Encoded = Record<string, unknown>;

/** Columns of a row; the last two are null where no text is long. */
export interface ResultRow {
  /** JSON of the record, with empty texts in the place of the long ones. */
  readonly body: string;
  /** JSON of a list of `[name, bytes]`, in the order in which the texts lie in `longTexts`. */
  readonly longFields: string | null;
  /** UTF-8. */
  readonly longTexts: Buffer | null;
}

/** Texts of more UTF-16 units than this are kept beside the JSON. */
const LONG_TEXT_UNITS = 4_096;

/** `record` must be plain data. */
export function packResult(record: Readonly<Encoded>): ResultRow {
  let short: Encoded | undefined;
  const fields: [name: string, bytes: number][] = [];
  const texts: Buffer[] = [];
  for (const name of Object.keys(record)) {
    const value = record[name];
    if (!isLongText(value)) continue;
    const text = Buffer.from(value);
    fields.push([name, text.length]);
    texts.push(text);
    short ??= { ...record };
    short[name] = '';
  }
  const body = JSON.stringify(short ?? record);
  if (fields.length === 0) return { body, longFields: null, longTexts: null };
  return { body, longFields: JSON.stringify(fields), longTexts: Buffer.concat(texts) };
}

/** The record again, as a reader of its JSON would have it. */
export function unpackResult({ body, longFields, longTexts }: ResultRow): Encoded {
  const record = JSON.parse(body) as Encoded;
  if (longFields === null || longTexts === null) return record;
  let at = 0;
  for (const [name, bytes] of JSON.parse(longFields) as [string, number][]) {
    record[name] = longTexts.toString('utf8', at, at + bytes);
    at += bytes;
  }
  return record;
}

/** Half a surrogate pair is nothing that UTF-8 could hold; JSON can. */
function isLongText(value: unknown): value is string {
  return typeof value === 'string' && value.length > LONG_TEXT_UNITS && !/\p{Surrogate}/u.test(value);
}
