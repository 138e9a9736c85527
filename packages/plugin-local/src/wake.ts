/** Tells waiting consumers, here and in other processes, that something was written. Owns the watcher of the wake folder. */

import { closeSync, type FSWatcher, mkdirSync, openSync, utimesSync, watch } from 'node:fs';
import { join } from 'node:path';

/** What was written. Each is a file that writers touch. */
export type WakeTopic = 'queue' | 'results' | 'shared';

const TOPICS: readonly WakeTopic[] = ['queue', 'results', 'shared'];

/** See the file's comment. A wake may be spurious and, where watching is not possible, missing: listeners poll slowly beside it. */
export class Wake {
  readonly #directory: string;
  readonly #listeners: Record<WakeTopic, Set<() => void>> = {
    queue: new Set(),
    results: new Set(),
    shared: new Set(),
  };
  #watcher: FSWatcher | undefined;
  #closed = false;

  /** `directory` is created at the first use; every process that shares the database names the same one. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Calls `listener` at each wake until the returned function is called. */
  subscribe(topic: WakeTopic, listener: () => void): () => void {
    this.#listeners[topic].add(listener);
    this.#watch();
    return () => {
      this.#listeners[topic].delete(listener);
    };
  }

  /** Wakes the listeners of this process at once and those of other processes within milliseconds. Never throws. */
  notify(topic: WakeTopic): void {
    for (const listener of [...this.#listeners[topic]]) listener();
    const file = join(this.#directory, topic);
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      this.#create(file);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#watcher = undefined;
    for (const topic of TOPICS) this.#listeners[topic].clear();
  }

  #create(file: string): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      closeSync(openSync(file, 'a', 0o600));
    } catch {
      // What was written is safe in the database; others find it at their next slow look.
    }
  }

  #watch(): void {
    if (this.#watcher !== undefined || this.#closed) return;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      // The folder, not the files: it sees them appear, and a file that is deleted and made again too.
      this.#watcher = watch(this.#directory, { persistent: false }, (_event, name) => {
        for (const topic of TOPICS) {
          if (name !== null && name !== topic) continue;
          for (const listener of [...this.#listeners[topic]]) listener();
        }
      });
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      // No watch left to have (a limit of the machine): the slow look remains, and the next subscriber tries again.
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
