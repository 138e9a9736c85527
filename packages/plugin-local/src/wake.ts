/**
 * Tells waiting consumers, here and in other processes, that something was written. Owns the watcher of the wake folder
 * and this process's own files in it.
 */

import { randomUUID } from 'node:crypto';
import {
  closeSync,
  type FSWatcher,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  watch,
} from 'node:fs';
import { join } from 'node:path';

/** What was written. For each, every writer has a file that it touches: `<topic>.<writer>`. */
export type WakeTopic = 'queue' | 'results' | 'shared';

const TOPICS: readonly WakeTopic[] = ['queue', 'results', 'shared'];
/** Least time between two touches of a file, in milliseconds: what is written in between is told at its end. */
const TOUCH_GAP_MS = 2;
/** Age from which a file that nobody touched belongs to a dead process, in milliseconds. */
const LEFT_BEHIND_MS = 86_400_000;

interface Touch {
  readonly file: string;
  /** Monotonic milliseconds. */
  lastAt: number;
  later: NodeJS.Timeout | undefined;
}

/** See the file's comment. A wake may be spurious and, where watching is not possible, missing: listeners poll slowly beside it. */
export class Wake {
  readonly #directory: string;
  /** Whose files these are: what this process wrote itself it does not hear again. */
  readonly #writer = randomUUID();
  readonly #listeners: Record<WakeTopic, Set<() => void>> = {
    queue: new Set(),
    results: new Set(),
    shared: new Set(),
  };
  readonly #touches = new Map<WakeTopic, Touch>();
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
    this.notifyOthers(topic);
  }

  /** Wakes the listeners of other processes only: those of this one know already. Never throws. */
  notifyOthers(topic: WakeTopic): void {
    if (this.#closed) return;
    const touch = this.#touches.get(topic) ?? this.#newTouch(topic);
    if (touch.later !== undefined) return;
    const waitMs = touch.lastAt + TOUCH_GAP_MS - performance.now();
    if (waitMs <= 0) this.#touch(touch);
    else touch.later = setTimeout(() => this.#touch(touch), waitMs).unref();
  }

  /** Tells what is left to tell. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    for (const topic of TOPICS) this.#listeners[topic].clear();
    for (const touch of this.#touches.values()) {
      if (touch.later !== undefined) this.#touch(touch);
      rmSync(touch.file, { force: true });
    }
    this.#touches.clear();
  }

  #newTouch(topic: WakeTopic): Touch {
    const touch = {
      file: join(this.#directory, `${topic}.${this.#writer}`),
      lastAt: Number.NEGATIVE_INFINITY,
      later: undefined,
    };
    this.#touches.set(topic, touch);
    return touch;
  }

  #touch(touch: Touch): void {
    clearTimeout(touch.later);
    touch.later = undefined;
    touch.lastAt = performance.now();
    const now = Date.now() / 1_000;
    try {
      utimesSync(touch.file, now, now);
    } catch {
      this.#create(touch.file);
    }
  }

  #create(file: string): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      closeSync(openSync(file, 'a', 0o600));
      this.#tidy();
    } catch {
      // What was written is safe in the database; others find it at their next slow look.
    }
  }

  /** Removes what killed processes left behind. */
  #tidy(): void {
    for (const name of readdirSync(this.#directory)) {
      const file = join(this.#directory, name);
      if (Date.now() - statSync(file).mtimeMs > LEFT_BEHIND_MS) rmSync(file, { force: true });
    }
  }

  #watch(): void {
    if (this.#watcher !== undefined || this.#closed) return;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      // The folder, not the files: it sees them appear, and a file that is deleted and made again too.
      this.#watcher = watch(this.#directory, { persistent: false }, (_event, name) => {
        if (name?.endsWith(this.#writer)) return;
        for (const topic of TOPICS) {
          if (name !== null && !name.startsWith(`${topic}.`)) continue;
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
