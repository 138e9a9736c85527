/** The models of functions that ran here lately, learnt together with other workers. Owns what the others were not told yet, and the timer. */

import { createHash } from 'node:crypto';
import type { SharedState } from '@nanogrid/core';
import { FunctionModel, type ModelData, type Run } from './function-model.js';
import { isModel } from './model-file.js';
import type { Knowledge, KnowledgeOptions } from './models.js';

/** After so many half-lives nothing that was kept weighs anything. */
const KEPT_HALF_LIVES = 8;
/** Tries to be the next of several workers that write the same model. */
const TRIES = 5;

export interface SharedModelsOptions extends KnowledgeOptions {
  readonly shared: SharedState;
}

interface Entry {
  /** Resolves when `known` holds what the others knew, or that cannot be asked. */
  loaded: Promise<void>;
  /** What all workers knew when they were last asked, and what was learnt here since. */
  known: FunctionModel;
  /** The part of it that the others do not know. */
  own: FunctionModel | undefined;
}

export class SharedModels implements Knowledge {
  readonly #options: SharedModelsOptions;
  /** In the order of their last jobs. */
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(options: SharedModelsOptions) {
    this.#options = options;
  }

  open(): void {
    this.#timer = setInterval(() => this.#tellAll(), this.#options.saveEveryMs).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#tellAll();
    await this.#telling;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The first job of a version here waits for what the others know of it. */
  async find(key: string): Promise<FunctionModel> {
    const entry = this.#touch(key, Date.now());
    await entry.loaded;
    return entry.known;
  }

  /** Waits as `find` does. */
  async add(key: string, run: Run): Promise<FunctionModel> {
    const { halfLifeMs } = this.#options;
    const entry = this.#touch(key, run.atMs);
    await entry.loaded;
    entry.known.add(run);
    entry.own ??= new FunctionModel(halfLifeMs, run.atMs);
    entry.own.add(run);
    // The others may run it with the limit that was too small.
    if (run.killedAtMb !== undefined) this.#tell([[key, entry]]);
    return entry.known;
  }

  #touch(key: string, atMs: number): Entry {
    const { maxFunctions } = this.#options;
    const entry = this.#entries.get(key) ?? this.#load(key, atMs);
    // A Map keeps its order by first insertion.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries;
    if (this.#entries.size > maxFunctions && oldest !== undefined) {
      this.#entries.delete(oldest[0]);
      this.#tell([oldest]);
    }
    return entry;
  }

  #load(key: string, atMs: number): Entry {
    const { halfLifeMs, log } = this.#options;
    const entry: Entry = { loaded: Promise.resolve(), known: new FunctionModel(halfLifeMs, atMs), own: undefined };
    entry.loaded = this.#read(key).then(
      ({ model }) => {
        if (model !== undefined) entry.known = new FunctionModel(halfLifeMs, model);
      },
      // It is asked again when this worker tells what it learnt.
      (error) => log.warn({ err: error }, 'what other workers know of the memory of a function cannot be read'),
    );
    return entry;
  }

  async #read(key: string): Promise<{ text: string | undefined; model: ModelData | undefined }> {
    const text = await this.#options.shared.get(nameOf(key));
    return { text, model: text === undefined ? undefined : parseModel(text) };
  }

  #tellAll(): void {
    this.#tell([...this.#entries]);
  }

  /** One after the other, and none more once one failed: the rest is told the next time. */
  #tell(entries: readonly (readonly [string, Entry])[]): void {
    this.#telling = this.#telling.then(async () => {
      try {
        for (const [key, entry] of entries) await this.#merge(key, entry);
      } catch (error) {
        const { log } = this.#options;
        log.warn({ err: error }, 'what is known of the memory of functions could not be told to other workers');
      }
    });
  }

  async #merge(key: string, entry: Entry): Promise<void> {
    const { own: taken } = entry;
    if (taken === undefined) return;
    const { halfLifeMs, shared } = this.#options;
    // Jobs that end meanwhile begin a new part.
    entry.own = undefined;
    const withOwn = (model: FunctionModel) =>
      entry.own === undefined ? model : FunctionModel.merge(halfLifeMs, model.data, entry.own.data);
    try {
      for (let tries = 0; tries < TRIES; tries++) {
        const { text, model } = await this.#read(key);
        const merged = model === undefined ? taken : FunctionModel.merge(halfLifeMs, model, taken.data);
        const ttlMs = KEPT_HALF_LIVES * halfLifeMs;
        if (await shared.compareAndSet(nameOf(key), text, JSON.stringify(merged.data), ttlMs)) {
          entry.known = withOwn(merged);
          return;
        }
      }
      throw new Error('other workers write it all the time');
    } catch (error) {
      entry.own = withOwn(taken);
      throw error;
    }
  }
}

/** Keys of the shared state hold few characters. */
function nameOf(key: string): string {
  return `autotuner:${createHash('sha256').update(key).digest('hex')}`;
}

/** Undefined for what is no model: it is replaced. */
function parseModel(text: string): ModelData | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isModel(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
