/** Makes API keys. Owns no state. */

import { createHash, randomBytes } from 'node:crypto';

/** A new key of 256 random bits, and what the configuration holds of it. The key is shown once and stored nowhere. */
export function newApiKey(): { readonly key: string; readonly hash: string } {
  const key = `ngk_${randomBytes(32).toString('base64url')}`;
  return { key, hash: hashApiKey(key) };
}

/** What the configuration holds of a key. */
export function hashApiKey(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}
