/** Finds the known word that a mistyped one was probably meant to be. Owns no state. */

import { distance } from 'fastest-levenshtein';

/** The nearest of `known`, ignoring case; undefined where none is near enough to be worth suggesting. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  // A third of the letters wrong, and two at least, is about where a suggestion stops being a help.
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const difference = distance(lower, candidate.toLowerCase());
    if (difference < bestDistance) {
      best = candidate;
      bestDistance = difference;
    }
  }
  return best;
}
