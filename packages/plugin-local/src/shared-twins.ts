/**
 * The embedded twins that the roles of one process share: a controller and a worker beside it use one connection, and what
 * one writes the other need not look for. Owns the twins of each data directory, and how many use them.
 */

import { createLocal, type Local, type LocalOptions } from './open-local.js';

interface Shared {
  readonly twins: Local;
  users: number;
}

/** One user's share of the twins. */
export interface TwinsShare {
  readonly twins: Local;
  /** As `Local.open`, where the twins are not open yet. */
  open(): Promise<void>;
  /** As `Local.close`, where nobody else uses them. Idempotent. */
  close(): Promise<void>;
}

export class SharedTwins {
  readonly #shared = new Map<string, Shared>();

  /** The twins of these options; those that somebody has already, or new ones. */
  share(options: LocalOptions): TwinsShare {
    const key = JSON.stringify(options);
    const shared = this.#shared.get(key) ?? { twins: createLocal(options), users: 0 };
    this.#shared.set(key, shared);
    let isUser = false;
    let closing: Promise<void> | undefined;
    return {
      twins: shared.twins,
      open: async () => {
        if (!isUser) shared.users += 1;
        isUser = true;
        await shared.twins.open();
      },
      close: () => {
        closing ??= this.#leave(key, shared, isUser);
        return closing;
      },
    };
  }

  async #leave(key: string, shared: Shared, isUser: boolean): Promise<void> {
    if (isUser) shared.users -= 1;
    if (shared.users > 0) return;
    this.#shared.delete(key);
    await shared.twins.close();
  }
}
