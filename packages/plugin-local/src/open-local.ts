/** Puts the embedded twins of one data directory together. Owns what they share: the database and the wake folder. */

import { join } from 'node:path';
import { type Clock, systemClock } from './clock.js';
import { type Durability, LocalDatabase } from './database.js';
import { LocalCodeStore } from './local-code-store.js';
import { LocalCodeUploads } from './local-code-uploads.js';
import { LocalFunctionRegistry } from './local-function-registry.js';
import { LocalJobSink } from './local-job-sink.js';
import { LocalOutputStore } from './local-output-store.js';
import { LocalQueue } from './local-queue.js';
import { LocalResults } from './local-results.js';
import { LocalSharedState } from './local-shared-state.js';
import { Wake } from './wake.js';

export interface LocalOptions {
  /** Absolute folder of everything. Created where missing. Not on a network file system. */
  readonly directory: string;
  /** Bucket of code references that name none. Default `nanogrid-code`. */
  readonly codeBucket?: string;
  /** Default `nanogrid-user-data`. */
  readonly outputBucket?: string;
  /** How long a delivery stays invisible unless extended, in milliseconds. Default 300,000. */
  readonly visibilityMs?: number;
  /** Deliveries of a message before it goes to the dead letters. Default 5. */
  readonly maxAttempts?: number;
  /** Longest wait of one `receive`, in milliseconds. Default 20,000. */
  readonly waitMs?: number;
  /** How long results are kept, in milliseconds. Default 3,600,000. */
  readonly resultTtlMs?: number;
  /** What accepted data survives. Default `process`. */
  readonly durability?: Durability;
  /** Default: the machine's clocks. */
  readonly clock?: Clock;
}

/** The embedded twins over one data directory. */
export interface Local {
  readonly queue: LocalQueue;
  readonly code: LocalCodeStore;
  readonly outputs: LocalOutputStore;
  readonly results: LocalResults;
  /** The controller's: registered functions. */
  readonly registry: LocalFunctionRegistry;
  /** The controller's way into `queue`. */
  readonly jobSink: LocalJobSink;
  /** The controller's way into `code`. */
  readonly codeUploads: LocalCodeUploads;
  /** Small values that processes of this machine share. */
  readonly shared: LocalSharedState;
  /** Makes them usable. Idempotent. Throws as `LocalDatabase.open` does. */
  open(): Promise<void>;
  /** Throws when the database cannot be read. */
  health(): Promise<void>;
  /** Hands back what is held, ends every wait, closes. Idempotent. Later calls of the twins throw. */
  close(): Promise<void>;
}

/** The twins, not open yet: nothing on disk is touched before `open`. */
export function createLocal(options: LocalOptions): Local {
  const { directory } = options;
  const clock = options.clock ?? systemClock;
  const durability = options.durability ?? 'process';
  const database = new LocalDatabase({ path: join(directory, 'local.db'), durability, clock });
  const wake = new Wake(join(directory, 'wake'));
  const queue = new LocalQueue({ ...options, database, wake, consumersDirectory: join(directory, 'consumers') });
  const results = new LocalResults({ ...options, database, wake });
  const code = new LocalCodeStore({
    root: join(directory, 'code'),
    bucket: options.codeBucket ?? 'nanogrid-code',
    durability,
  });
  const outputs = new LocalOutputStore({
    root: join(directory, 'outputs'),
    bucket: options.outputBucket ?? 'nanogrid-user-data',
    durability,
  });
  const shared = new LocalSharedState({ database, wake, clock });
  let opening: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  const open = async (): Promise<void> => {
    await database.open();
    await results.expire();
    await Promise.all([code.tidy(clock.wallMs()), outputs.tidy(clock.wallMs())]);
  };
  const close = async (): Promise<void> => {
    try {
      await queue.close();
    } finally {
      results.close();
      shared.close();
      wake.close();
      database.close();
    }
  };
  return {
    queue,
    code,
    outputs,
    results,
    registry: new LocalFunctionRegistry(database),
    jobSink: new LocalJobSink(queue, results),
    codeUploads: new LocalCodeUploads(code),
    shared,
    open() {
      opening ??= open();
      return opening;
    },
    health: () => database.check(),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Opens the twins for a client: a command line, a controller. The worker uses the plugin `local` over the same classes. */
export async function openLocal(options: LocalOptions): Promise<Local> {
  const local = createLocal(options);
  await local.open();
  return local;
}
