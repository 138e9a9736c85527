/** The models of all functions that ran lately, and their way to the disk. Owns the models and the timer. */

import type { Logger } from '@nanogrid/core';
import { FunctionModel, type Run } from './function-model.js';
import { readModels, writeModels } from './model-file.js';

/** What is known of functions, and where it is kept. */
export interface Knowledge {
  /** Takes up what was kept. */
  open(): Promise<void> | void;
  /** Keeps what is not kept yet. Idempotent. */
  close(): Promise<void>;
  /** The model of a function's version; undefined where nothing is known of it. */
  find(key: string): FunctionModel | undefined | Promise<FunctionModel | undefined>;
  /** Adds a run to the model of a function's version, and returns that. */
  add(key: string, run: Run): FunctionModel | Promise<FunctionModel>;
  /** How many models there are. */
  readonly size: number;
}

export interface KnowledgeOptions {
  /** Versions of functions that are remembered; the one that ran longest ago gives way. */
  readonly maxFunctions: number;
  readonly halfLifeMs: number;
  /** Between two writes, at least. */
  readonly saveEveryMs: number;
  readonly log: Logger;
}

export interface ModelsOptions extends KnowledgeOptions {
  readonly path: string;
}

export class Models implements Knowledge {
  readonly #options: ModelsOptions;
  /** In the order of their last jobs. */
  readonly #models = new Map<string, FunctionModel>();
  #changed = false;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: ModelsOptions) {
    this.#options = options;
  }

  /** Takes up what was stored. Without it everything works, from nothing: a file that cannot be used is told of, and replaced. */
  async open(): Promise<void> {
    const { path, halfLifeMs, saveEveryMs, log, maxFunctions } = this.#options;
    try {
      const stored = await readModels(path);
      for (const [key, data] of stored.slice(-maxFunctions)) this.#models.set(key, new FunctionModel(halfLifeMs, data));
    } catch (error) {
      log.warn({ err: error, path }, 'what was known of the memory of functions cannot be read; it is learnt anew');
    }
    this.#timer = setInterval(() => this.#save(), saveEveryMs).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#save();
    await this.#saving;
  }

  get size(): number {
    return this.#models.size;
  }

  find(key: string): FunctionModel | undefined {
    return this.#models.get(key);
  }

  add(key: string, run: Run): FunctionModel {
    const { halfLifeMs, maxFunctions } = this.#options;
    const model = this.#models.get(key) ?? new FunctionModel(halfLifeMs, run.atMs);
    model.add(run);
    // A Map keeps its order by first insertion.
    this.#models.delete(key);
    this.#models.set(key, model);
    const [oldest] = this.#models.keys();
    if (this.#models.size > maxFunctions && oldest !== undefined) this.#models.delete(oldest);
    this.#changed = true;
    return model;
  }

  #save(): void {
    const { path, log } = this.#options;
    if (!this.#changed) return;
    this.#changed = false;
    const stored = [...this.#models].map(([key, model]) => [key, model.data] as const);
    // One write after the other: they share the name of the unfinished file.
    this.#saving = this.#saving.then(async () => {
      try {
        await writeModels(path, stored);
      } catch (error) {
        this.#changed = true;
        log.warn({ err: error, path }, 'what is known of the memory of functions could not be written');
      }
    });
  }
}
