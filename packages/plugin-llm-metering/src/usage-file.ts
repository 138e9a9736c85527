/** Adds up the usage files that one job left, one for each of its runs. Owns no state. */

import { TextDecoder } from 'node:util';
import type { LlmModelUsage, LlmUsage } from '@nanogrid/core';
import { readUsageRecord, type UsageRecord } from './usage-record.js';

const LINE_FEED = 0x0a;
/** A longer line is skipped unread. A whole answer of an LLM with its context fits. */
const MAX_LINE_BYTES = 256 * 1024;
/** Stands for the models that came after `maxModels` others. */
export const OTHER_MODELS = 'other';

export interface UsageCaps {
  /** Bytes that are read of the file. */
  readonly maxBytes: number;
  /** Lines that are read of it. */
  readonly maxLines: number;
  /** Models that are told apart on one result. */
  readonly maxModels: number;
  /** Tokens of one kind that one call can be charged with. */
  readonly maxTokensPerCall: number;
}

/** What a file holds, and what of it was not taken as it is. */
export interface UsageReading {
  /** Undefined where the file tells of no call. */
  readonly usage: LlmUsage | undefined;
  /** Lines that tell of no call, or that are too long. */
  readonly ignoredLines: number;
  /** Calls with more tokens than one can have. */
  readonly clampedCalls: number;
  /** True where the file is longer than was read. */
  readonly cut: boolean;
}

/**
 * What the files of a job's runs hold, together. Each may hold one byte more than `caps.maxBytes`, which tells that it is
 * longer. Never throws.
 */
export function readUsageFiles(contents: readonly Uint8Array[], caps: UsageCaps): UsageReading {
  const totals = new UsageTotals(caps.maxModels);
  const readings = contents.map((content) => readInto(totals, content, caps));
  const sumOf = (count: (reading: FileReading) => number) => readings.reduce((sum, reading) => sum + count(reading), 0);
  return {
    usage: totals.usage,
    ignoredLines: sumOf(({ ignoredLines }) => ignoredLines),
    clampedCalls: sumOf(({ clampedCalls }) => clampedCalls),
    cut: readings.some(({ cut }) => cut),
  };
}

type FileReading = Omit<UsageReading, 'usage'>;

function readInto(totals: UsageTotals, content: Uint8Array, caps: UsageCaps): FileReading {
  const { maxBytes, maxLines, maxTokensPerCall } = caps;
  const tooLong = content.length > maxBytes;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 0;
  let ignoredLines = 0;
  let clampedCalls = 0;
  // The last line of a file that was cut may be half a line, which could mean something else.
  const lastByte = tooLong ? content.subarray(0, maxBytes).lastIndexOf(LINE_FEED) + 1 : content.length;
  let start = 0;
  while (start < lastByte && lines < maxLines) {
    const found = content.indexOf(LINE_FEED, start);
    const end = found === -1 ? lastByte : found;
    const text = lineText(content.subarray(start, end), decoder);
    start = end + 1;
    // Blank ones, too: millions of them would take their time.
    lines++;
    if (text === '') continue;
    const record = text === undefined ? undefined : readUsageRecord(text, maxTokensPerCall);
    if (record === undefined) ignoredLines++;
    else {
      totals.add(record);
      if (record.clamped) clampedCalls++;
    }
  }
  return { ignoredLines, clampedCalls, cut: tooLong || start < lastByte };
}

/** Undefined for a line that is too long, or no UTF-8; empty for a blank one. */
function lineText(line: Uint8Array, decoder: TextDecoder): string | undefined {
  if (line.length > MAX_LINE_BYTES) return undefined;
  try {
    return decoder.decode(line).trim();
  } catch {
    return undefined;
  }
}

/** The totals of one job. A Map holds the models: one of them may be called `__proto__`. */
class UsageTotals {
  readonly #maxModels: number;
  readonly #byModel = new Map<string, LlmModelUsage>();

  constructor(maxModels: number) {
    this.#maxModels = maxModels;
  }

  add(record: UsageRecord): void {
    const known = this.#byModel.has(record.model) || this.#byModel.size < this.#maxModels;
    const model = known ? record.model : OTHER_MODELS;
    const before = this.#byModel.get(model) ?? { promptTokens: 0, completionTokens: 0, totalTokens: 0, calls: 0 };
    const { promptTokens, completionTokens } = record;
    const totalTokens = promptTokens + completionTokens;
    this.#byModel.set(model, sum(before, { promptTokens, completionTokens, totalTokens, calls: 1 }));
  }

  get usage(): LlmUsage | undefined {
    const [first, ...rest] = this.#byModel.values();
    if (first === undefined) return undefined;
    return { ...rest.reduce(sum, first), byModel: Object.fromEntries(this.#byModel) };
  }
}

function sum(a: LlmModelUsage, b: LlmModelUsage): LlmModelUsage {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    totalTokens: a.totalTokens + b.totalTokens,
    calls: a.calls + b.calls,
  };
}
