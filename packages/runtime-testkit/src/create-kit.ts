/** The cases that apply to a runtime, ready to be run in any order. Owns the worker that they share, and who is next. */

import { BASICS } from './cases/basics.js';
import { FEATURES } from './cases/features.js';
import { HYGIENE } from './cases/hygiene.js';
import { LIMITS } from './cases/limits.js';
import { LOAD } from './cases/load.js';
import { KitFailure } from './kit-failure.js';
import { featuresOf, type KitOptions } from './kit-options.js';
import { type KitWorker, startKitWorker } from './kit-worker.js';

export interface KitCase {
  /** Stable and short, for instance `input`. */
  readonly id: string;
  /** One sentence that is true of a runtime that passes. */
  readonly name: string;
  /** Throws what is wrong: a `KitFailure`, or the worker's own error. Cases that are run at once wait for each other. */
  run(): Promise<void>;
}

export interface Kit {
  /** The first starts the worker, the last stops it and looks at what is left. Each works without the others. */
  readonly cases: readonly KitCase[];
  /** Stops the worker, where one was started, and removes everything it made. Idempotent. */
  close(): Promise<void>;
}

/** Throws a `TypeError` where a function is missing that the runtime's features need. Nothing is started yet. */
export function createKit(options: KitOptions): Kit {
  const features = featuresOf(options);
  let started: Promise<KitWorker> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const worker = () => {
    started ??= startKitWorker(options, features);
    return started;
  };
  // Some cases measure, and some runners start all tests at once.
  const inTurn = (work: () => Promise<void>) => () => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
  const close = async () => {
    const running = await started?.catch(() => undefined);
    started = undefined;
    await running?.close();
  };
  const chosen = [...BASICS, ...LIMITS, ...HYGIENE, ...FEATURES, ...LOAD].filter(
    ({ needs }) => needs === undefined || features[needs],
  );
  const start: KitCase = {
    id: 'start',
    name: 'the image is there, and a container gets ready',
    run: inTurn(async () => {
      await worker();
    }),
  };
  const end: KitCase = {
    id: 'clean-up',
    name: 'nothing is left on the engine',
    run: inTurn(async () => {
      const running = await started?.catch(() => undefined);
      await close();
      const left = await running?.containerIds();
      if (left !== undefined && left.length > 0) throw new KitFailure(`Containers are left: ${left.join(', ')}`);
    }),
  };
  const cases = chosen.map(({ id, name, run }) => ({ id, name, run: inTurn(async () => run(await worker())) }));
  return { cases: [start, ...cases, end], close };
}
