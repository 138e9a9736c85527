/** A function as an item of the table: what is written, and what is made of items that other controllers wrote. Owns no state. */

import type { FunctionRecord } from '@nanogrid/core';

/** An item, as the SDK's document client gives it. */
export type Item = Readonly<Record<string, unknown>>;

/** Whose functions are that have no owner. */
export const DEFAULT_OWNER = 'default';
const DEFAULT_TIMEOUT_S = 300;
const EPOCH = new Date(0).toISOString();

/** The item's attributes but the key; an undefined one is not stored. */
export function attributesOf({ functionId: _key, ...attributes }: FunctionRecord): Record<string, unknown> {
  return { ...attributes };
}

/**
 * The function of an item. Controllers before this one wrote `functionId`, `functionName`, `s3Key`, `runtime`, `handler`, `timeout`
 * and `createdAt`: such a function is of the owner `default` and in version 1. Undefined for an item without a runtime, which
 * is no function.
 */
export function recordOf(item: Item): FunctionRecord | undefined {
  const functionId = text(item.functionId);
  const runtime = text(item.runtime);
  if (functionId === undefined || runtime === undefined) return undefined;
  const createdAt = time(item.createdAt) ?? EPOCH;
  return {
    functionId,
    functionName: text(item.functionName) ?? functionId,
    owner: text(item.owner) ?? DEFAULT_OWNER,
    version: number(item.version) ?? 1,
    s3Key: text(item.s3Key) ?? `functions/${functionId}/code.zip`,
    runtime,
    handler: text(item.handler),
    timeout: number(item.timeout) ?? DEFAULT_TIMEOUT_S,
    memoryMb: number(item.memoryMb),
    env: variables(item.env),
    codeDigest: text(item.codeDigest) ?? '',
    codeBytes: number(item.codeBytes) ?? 0,
    createdAt,
    updatedAt: time(item.updatedAt) ?? createdAt,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Some wrote numbers as texts. */
function number(value: unknown): number | undefined {
  const found = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : undefined;
}

/** ISO 8601 of what is one, or of milliseconds since 1970. */
function time(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const date = new Date(typeof value === 'string' && /^\d{10,}$/.test(value) ? Number(value) : value);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function variables(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, each]) => typeof each === 'string'));
}
