/** How long to wait before the next try of something that failed. Owns no state. */

export interface Backoff {
  /** Wait after the first failure, in milliseconds; doubled after each further one. */
  readonly firstMs: number;
  /** Longest wait, in milliseconds. */
  readonly longestMs: number;
}

/**
 * The wait after failure number `failures` (from 1), in milliseconds: between half of the doubled wait and all of it,
 * so that those who failed together do not come back together. `random` gives a number from 0 to 1.
 */
export function backoffMs(failures: number, { firstMs, longestMs }: Backoff, random: () => number): number {
  const wholeMs = Math.min(firstMs * 2 ** (failures - 1), longestMs);
  return Math.round(wholeMs * (0.5 + random() / 2));
}
