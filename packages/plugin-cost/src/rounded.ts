/** Keeps artefacts of binary fractions out of amounts and quantities. Owns no state. */

/** Lambda's smallest invocation costs 0.2 millionths and some billionths: a trillionth keeps them. */
const DIGITS = 12;
const SCALE = 10 ** DIGITS;
/** Beyond it the product has a fraction no more. */
const MOST = Number.MAX_SAFE_INTEGER / SCALE;

export function rounded(amount: number): number {
  // The quotient of two whole numbers is the number nearest to that decimal fraction, and needs no text.
  return Math.abs(amount) < MOST ? Math.round(amount * SCALE) / SCALE : Number(amount.toFixed(DIGITS));
}
