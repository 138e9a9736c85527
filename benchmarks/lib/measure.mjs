/** Takes the samples: all sides in turn, in rounds, forwards and backwards by turns. Owns the samples of one run. */

import { setTimeout as sleep } from 'node:timers/promises';

/** How long a call to the engine may go on after an interruption, so that what it makes can be removed. */
const GRACE_MS = 10_000;

/**
 * @param {Record<string, import('./sides.mjs').Side>} sides
 * @param {{ rounds: number, signal: AbortSignal, say: (text: string) => void }} options
 * @returns {Promise<Record<string, { values: number[], phases: object[] }>>}
 */
export async function measure(sides, { rounds, signal, say }) {
  const order = Object.entries(sides);
  const samples = Object.fromEntries(order.map(([name]) => [name, { values: [], phases: [] }]));
  for (const [name, side] of order) {
    say(`warming up: ${name}`);
    for (let i = 0; i < side.warmUp; i++) await unlessAborted(side.sample(), signal);
    await side.settle?.();
  }
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    for (const [name, side] of round % 2 === 1 ? order : order.toReversed()) {
      if ((round - 1) % (side.every ?? 1) !== 0) continue;
      for (let i = 0; i < side.perRound; i++) {
        const { value, phases } = await unlessAborted(side.sample(), signal);
        samples[name].values.push(value);
        if (phases) samples[name].phases.push(phases);
      }
      await side.settle?.();
    }
  }
  return samples;
}

/** What `sample` gives; after an interruption its end is waited for, but not for ever. */
async function unlessAborted(sample, signal) {
  let interrupted;
  const abort = new Promise((_resolve, reject) => {
    interrupted = () => sleep(GRACE_MS, undefined, { ref: false }).then(() => reject(signal.reason));
    signal.addEventListener('abort', interrupted, { once: true });
  });
  try {
    const result = await Promise.race([sample, abort]);
    signal.throwIfAborted();
    return result;
  } finally {
    signal.removeEventListener('abort', interrupted);
  }
}
