/** Versions of objects, repeated for a while. Owns them: at most ten thousand, the oldest go first. */

import type { CodeVersion } from '@nanogrid/core';

const MAX_ENTRIES = 10_000;

interface ObjectName {
  readonly Bucket: string;
  readonly Key: string;
}

export class VersionMemory {
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #versions = new Map<string, { readonly version: CodeVersion; readonly untilMs: number }>();

  /** With a `ttlMs` of 0 nothing is remembered. */
  constructor(ttlMs: number, now: () => number) {
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  get(object: ObjectName): CodeVersion | undefined {
    if (this.#ttlMs === 0) return undefined;
    const name = nameOf(object);
    const known = this.#versions.get(name);
    if (known === undefined) return undefined;
    if (known.untilMs > this.#now()) return known.version;
    this.#versions.delete(name);
    return undefined;
  }

  set(object: ObjectName, version: CodeVersion): void {
    if (this.#ttlMs === 0) return;
    const name = nameOf(object);
    this.#versions.delete(name);
    this.#versions.set(name, { version, untilMs: this.#now() + this.#ttlMs });
    if (this.#versions.size <= MAX_ENTRIES) return;
    const [oldest] = this.#versions.keys();
    if (oldest !== undefined) this.#versions.delete(oldest);
  }
}

function nameOf({ Bucket, Key }: ObjectName): string {
  return `${Bucket}/${Key}`;
}
