/** Keeps artefacts of binary fractions out of amounts and quantities. Owns no state. */

/** Lambda's smallest invocation costs 0.2 millionths and some billionths: a trillionth keeps them. */
const DIGITS = 12;

export function rounded(amount: number): number {
  return Number(amount.toFixed(DIGITS));
}
