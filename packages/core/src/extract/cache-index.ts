/** A content cache's account of its entries: sizes, order of use, who uses what, and which origin led to which entry. Owns that account. */

import type { ExtractedCode } from '../hooks.js';

/** One folder of files. Held by the cache; changed by `CacheIndex` only. */
export interface CacheEntry {
  readonly id: string;
  readonly code: ExtractedCode;
  /** False for one found at start that nobody looked into yet. */
  ready: boolean;
  /** Leases and operations that need it: above 0 it is never evicted. */
  pins: number;
}

/** How many origins are remembered; one that was forgotten is brought once more. */
const MAX_ORIGINS = 10_000;

export class CacheIndex {
  /** Least recently used first. */
  readonly #entries = new Map<string, CacheEntry>();
  readonly #origins = new Map<string, string>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Sum of the entries' bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): CacheEntry | undefined {
    return this.#entries.get(id);
  }

  byOrigin(origin: string): CacheEntry | undefined {
    const id = this.#origins.get(origin);
    return id === undefined ? undefined : this.#entries.get(id);
  }

  /** Remembers that `origin` gave the entry `id`. */
  noteOrigin(origin: string, id: string): void {
    this.#origins.delete(origin);
    this.#origins.set(origin, id);
    const [oldest] = this.#origins.keys();
    if (this.#origins.size > MAX_ORIGINS && oldest !== undefined) this.#origins.delete(oldest);
  }

  /** The entry of that id, added as the most recently used where there is none: two origins may bring the same content. */
  add(id: string, code: ExtractedCode, ready: boolean): CacheEntry {
    const known = this.#entries.get(id);
    if (known !== undefined) {
      known.ready ||= ready;
      return known;
    }
    const entry: CacheEntry = { id, code, ready, pins: 0 };
    this.#entries.set(id, entry);
    this.#bytes += code.totalBytes;
    return entry;
  }

  /** Notes a use, and keeps the entry until the matching `unpin`. */
  pin(entry: CacheEntry): void {
    entry.pins += 1;
    if (this.#entries.get(entry.id) !== entry) return;
    this.#entries.delete(entry.id);
    this.#entries.set(entry.id, entry);
  }

  unpin(entry: CacheEntry): void {
    entry.pins -= 1;
  }

  /** Forgets an entry; does nothing where it was forgotten or replaced before. */
  remove(entry: CacheEntry): void {
    if (this.#entries.get(entry.id) !== entry) return;
    this.#entries.delete(entry.id);
    this.#bytes -= entry.code.totalBytes;
  }

  /** The entry to evict next so that `maxBytes` hold: the least recently used that nobody needs. */
  victim(maxBytes: number): CacheEntry | undefined {
    if (this.#bytes <= maxBytes) return undefined;
    for (const entry of this.#entries.values()) if (entry.pins === 0) return entry;
    return undefined;
  }
}
