/** The API keys, and who a request comes from. Owns the keys' digests, which never change. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApiKeyScope, ApiKeySettings } from '@nanogrid/core';
import { jobTagOf } from '../jobs/job-id.js';

/** Who asks. */
export interface Caller {
  /** The key's name; `anonymous` where none is asked for. */
  readonly keyId: string;
  /** Whose functions and jobs it sees. */
  readonly owner: string;
  /** What the ids of its jobs begin with. */
  readonly jobTag: string;
  readonly scopes: ReadonlySet<ApiKeyScope>;
  readonly ratePerMinute: number | undefined;
  readonly maxConcurrent: number | undefined;
}

const ALL: readonly ApiKeyScope[] = ['submit', 'manage', 'read'];

const ANONYMOUS: Caller = {
  keyId: 'anonymous',
  owner: 'default',
  jobTag: jobTagOf('default'),
  scopes: new Set(ALL),
  ratePerMinute: undefined,
  maxConcurrent: undefined,
};

export class KeyRing {
  readonly #keys: readonly { readonly digest: Buffer; readonly caller: Caller }[];

  constructor(keys: readonly ApiKeySettings[]) {
    this.#keys = keys.map(({ id, hash, scopes, owner = id, ratePerMinute, maxConcurrent }) => ({
      digest: Buffer.from(hash.slice('sha256:'.length), 'hex'),
      caller: {
        keyId: id,
        owner,
        jobTag: jobTagOf(owner),
        scopes: new Set(scopes ?? ALL),
        ratePerMinute,
        maxConcurrent,
      },
    }));
  }

  /** Whether a key is asked for at all. */
  get required(): boolean {
    return this.#keys.length > 0;
  }

  /**
   * Who `key` belongs to; undefined where nobody. Digests are compared, all of them and in constant time, so the time
   * tells neither which key came near nor how near. Keys are random and long, so a plain digest of one cannot be undone.
   */
  identify(key: string | undefined): Caller | undefined {
    if (!this.required) return ANONYMOUS;
    const digest = createHash('sha256')
      .update(key ?? '')
      .digest();
    let found: Caller | undefined;
    for (const candidate of this.#keys) if (timingSafeEqual(candidate.digest, digest)) found = candidate.caller;
    return key === undefined ? undefined : found;
  }
}
