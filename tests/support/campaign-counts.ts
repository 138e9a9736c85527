/** What campaigns on a queue wait for and count at their end. Owns no state. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ResultListener } from './services/result-listener.js';

/** A queue's messages by their state. */
interface Queue {
  depth(): Promise<Readonly<Record<string, number>>>;
}

const EMPTY_MS = 60_000;

export async function messagesIn(queue: Queue): Promise<number> {
  return Object.values(await queue.depth()).reduce((sum, messages) => sum + messages, 0);
}

/** Resolves when a queue is empty, or will not be: what is in it has its result, and only has to be deleted. */
export async function untilEmpty(queue: Queue): Promise<void> {
  for (const end = performance.now() + EMPTY_MS; (await messagesIn(queue)) > 0 && performance.now() < end; ) {
    await sleep(200);
  }
}

/** How many of these jobs had their result published so often. */
export function publishedTimes(results: Pick<ResultListener, 'texts'>, ids: readonly string[]): Map<number, number> {
  const published = new Map<number, number>();
  for (const id of ids) {
    const times = results.texts(id).length;
    published.set(times, (published.get(times) ?? 0) + 1);
  }
  return published;
}
