/** Reads one line of the usage file: which model, how many tokens. Trusts nothing in it. Owns no state. */

/** Names of models are cut here: every result and every metric carries them. In UTF-16 units. */
const MAX_MODEL_LENGTH = 128;
/** What a call that names no model is counted under. */
export const UNKNOWN_MODEL = 'unknown';

/** One call to an LLM, as the function recorded it. */
export interface UsageRecord {
  readonly model: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** True where a count was above the cap and is the cap now. */
  readonly clamped: boolean;
}

/**
 * The call that a line tells of, in Ollama's form (`prompt_eval_count`, `eval_count`) or OpenAI's
 * (`usage.prompt_tokens`, `usage.completion_tokens`; it counts where a line has both). A count that is missing or null
 * is 0. Undefined where the line is no such thing: no JSON object, no count at all, or one that is no whole number
 * from 0.
 */
export function readUsageRecord(text: string, maxTokensPerCall: number): UsageRecord | undefined {
  const record = parseObject(text);
  if (record === undefined) return undefined;
  const usage = own(record, 'usage');
  const counts = isObject(usage)
    ? [own(usage, 'prompt_tokens'), own(usage, 'completion_tokens')]
    : [own(record, 'prompt_eval_count'), own(record, 'eval_count')];
  const [prompt = null, completion = null] = counts;
  if (prompt === null && completion === null) return undefined;
  const promptTokens = prompt ?? 0;
  const completionTokens = completion ?? 0;
  if (!isCount(promptTokens) || !isCount(completionTokens)) return undefined;
  return {
    model: modelName(own(record, 'model')),
    promptTokens: Math.min(promptTokens, maxTokensPerCall),
    completionTokens: Math.min(completionTokens, maxTokensPerCall),
    clamped: Math.max(promptTokens, completionTokens) > maxTokensPerCall,
  };
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never what every object inherits. */
function own(record: object, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key as keyof typeof record] : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

/** Without what would forge a line of a log or break a label: control characters, invisible ones, half characters. */
function modelName(value: unknown): string {
  if (typeof value !== 'string') return UNKNOWN_MODEL;
  // Cut first: nothing is done to text of any length.
  const short = value.slice(0, MAX_MODEL_LENGTH).replace(/\p{C}/gu, '\ufffd').trim();
  return short === '' ? UNKNOWN_MODEL : short;
}
