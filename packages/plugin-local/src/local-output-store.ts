/** Output files of jobs: `<root>/<bucket>/outputs/{jobId}/{path}`. Owns no state but the folder. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NanoGridError, type OutputStore } from '@nanogrid/core';
import type { Durability } from './database.js';
import { isBucketName, keyFault, removeUnfinished, writeAtomically } from './files.js';

export interface LocalOutputStoreOptions {
  /** Absolute folder that holds the buckets. Created at the first `put`. */
  readonly root: string;
  readonly bucket: string;
  /** Default `process`. */
  readonly durability?: Durability;
}

/** Age from which an unfinished file belongs to a dead process, in milliseconds. */
const UNFINISHED_AGE_MS = 3_600_000;

/** URLs are `file:` URLs. A file of an earlier attempt of the job is replaced. Throws `NG_OUTPUT_STORE_FAILED`. */
export class LocalOutputStore implements OutputStore {
  readonly #root: string;
  readonly #bucket: string;
  readonly #temporary: string;
  readonly #durability: Durability;

  constructor(options: LocalOutputStoreOptions) {
    this.#root = options.root;
    this.#bucket = options.bucket;
    this.#durability = options.durability ?? 'process';
    this.#temporary = join(options.root, '.unfinished');
  }

  async put(file: Parameters<OutputStore['put']>[0]): Promise<string> {
    try {
      const target = join(this.#root, this.#bucket, 'outputs', ...this.#names(file.jobId, file.path));
      await writeAtomically({
        root: this.#root,
        temporary: this.#temporary,
        target,
        body: file.body,
        durability: this.#durability,
        signal: file.signal,
        sizeBytes: file.sizeBytes,
        replaceAnything: true,
      });
      return pathToFileURL(target).href;
    } catch (error) {
      // The caller handed the body over: where it was not read to its end, what feeds it has to stop.
      file.body.destroy();
      throw NanoGridError.from(error, 'NG_OUTPUT_STORE_FAILED', `Could not store ${JSON.stringify(file.path)}`);
    }
  }

  /** Removes what killed processes left unfinished long ago. */
  async tidy(nowMs: number): Promise<void> {
    await removeUnfinished(this.#temporary, UNFINISHED_AGE_MS, nowMs);
  }

  #names(jobId: string, path: string): string[] {
    if (!isBucketName(this.#bucket)) throw new Error(`the bucket ${this.#bucket} has a name that no folder may have`);
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(jobId)) throw new Error('the job id is not valid');
    const fault = keyFault(path);
    if (fault !== undefined) throw new Error(`the name cannot be stored on this machine: ${fault}`);
    return [jobId, ...path.split('/')];
  }
}
