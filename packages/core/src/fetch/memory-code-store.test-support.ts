/** A code store in memory whose answers a test chooses. Owns its objects and counts what was asked of it. */

import { Readable } from 'node:stream';
import { NanoGridError } from '../errors.js';
import type { CodeRef } from '../job.js';
import type { CodeStore, CodeVersion } from '../stores.js';

export class MemoryCodeStore implements CodeStore {
  readonly objects = new Map<string, { version: string; bytes: Uint8Array; sizeBytes?: number }>();
  heads = 0;
  opens = 0;
  /** Takes the place of an object's bytes. */
  body: ((bytes: Uint8Array, signal: AbortSignal) => Readable) | undefined;
  /** Waited for before a body is handed out. */
  gate: Promise<void> = Promise.resolve();
  failure: Error | undefined;

  put(key: string, bytes: Uint8Array | string, version = '1'): void {
    this.objects.set(key, { version, bytes: Buffer.from(bytes) });
  }

  async head(ref: CodeRef): Promise<CodeVersion> {
    this.heads += 1;
    const { version, sizeBytes, bytes } = this.#find(ref);
    return { version, sizeBytes: sizeBytes ?? bytes.length };
  }

  async open(ref: CodeRef, signal: AbortSignal): Promise<CodeVersion & { readonly body: Readable }> {
    this.opens += 1;
    await this.gate;
    const { version, sizeBytes, bytes } = this.#find(ref);
    const body = this.body?.(bytes, signal) ?? Readable.from([bytes], { objectMode: false });
    return { version, sizeBytes: sizeBytes ?? bytes.length, body };
  }

  #find({ key }: CodeRef) {
    if (this.failure !== undefined) throw this.failure;
    const found = this.objects.get(key);
    if (found === undefined) throw new NanoGridError('NG_CODE_NOT_FOUND', `No code at ${JSON.stringify(key)}.`);
    return found;
  }
}
