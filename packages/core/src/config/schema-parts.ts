/** The kinds of settings of which the configuration's schema is made. Owns no state. */

import { REUSE_MODES } from '../exec/exec-spec.js';

/** Longest wait that a timer of Node.js can hold, in milliseconds; a longer one would fire at once. */
export const MAX_MS = 2 ** 31 - 1;

export const ms = (description: string, fallback?: number, minimum = 0) => ({
  type: 'integer',
  minimum,
  maximum: MAX_MS,
  description,
  ...(fallback === undefined ? {} : { default: fallback }),
});

export const count = (description: string, fallback?: number, minimum = 1) => ({
  type: 'integer',
  minimum,
  maximum: Number.MAX_SAFE_INTEGER,
  description,
  ...(fallback === undefined ? {} : { default: fallback }),
});

export const text = (description: string, fallback?: string) => ({
  type: 'string',
  minLength: 1,
  description,
  ...(fallback === undefined ? {} : { default: fallback }),
});

export const bucket = (description: string, fallback?: string) => ({
  ...text(description, fallback),
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$',
  mustBe: 'a bucket name: letters, digits, ".", "_" and "-"',
});

export const group = (description: string, properties: object) => ({
  type: 'object',
  additionalProperties: false,
  description,
  properties,
});

/** A number of processors, or the word; `fallback` where it is the setting of all. */
export const cpuShare = (description: string, fallback?: number) => ({
  type: ['number', 'string'],
  minimum: 0.01,
  maximum: 1024,
  pattern: '^by-memory$',
  mustBe: 'a number, or "by-memory"',
  description,
  ...(fallback === undefined ? {} : { default: fallback }),
});

export const reuseMode = (description: string, fallback?: string) => ({
  type: 'string',
  enum: REUSE_MODES,
  description,
  ...(fallback === undefined ? {} : { default: fallback }),
});

export const functionId = '[A-Za-z0-9][A-Za-z0-9._-]{0,127}';

export const entries = (description: string) => ({
  type: 'array',
  description,
  items: {
    type: ['object', 'string', 'array'],
    minLength: 1,
    minItems: 1,
    maxItems: 2,
    items: [{ type: 'string', minLength: 1 }, { type: 'object' }],
  },
});

export const ranges = (description: string, fallback: readonly string[]) => ({
  type: 'array',
  items: text('An IPv4 address or range.'),
  description,
  default: fallback,
});

/** As Standard Webhooks writes it. Shorter ones could be guessed. */
export const webhookSecret = (description: string) => ({
  ...text(description),
  pattern: '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$',
  mustBe: 'whsec_ and 24 to 64 random bytes in Base64',
  secret: true,
});
