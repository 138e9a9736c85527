/** What AWS Lambda charges for one invocation. Owns no state. */

import type { JobCost } from '@nanogrid/core';
import { rounded } from './rounded.js';

export type LambdaArchitecture = JobCost['lambda']['architecture'];

export interface LambdaPrices {
  readonly gbSecond: number;
  readonly request: number;
}

/** In USD: Lambda's price list for us-east-1, first tier, without a savings plan and without the free tier. */
export const LAMBDA_PRICES: Readonly<Record<LambdaArchitecture, LambdaPrices>> = {
  x86_64: { gbSecond: 0.000_016_666_7, request: 0.000_000_2 },
  arm64: { gbSecond: 0.000_013_333_4, request: 0.000_000_2 },
};

/** No function of Lambda has less. */
const LEAST_MEMORY_MB = 128;

/** Time counts in whole milliseconds, rounded up, and at least one; memory in whole MB from 128; a GB has 1,024. */
export function lambdaPrice(
  { durationMs, memoryMb }: { readonly durationMs: number; readonly memoryMb: number },
  architecture: LambdaArchitecture,
  prices: LambdaPrices,
): JobCost['lambda'] {
  const billedMs = Math.max(1, Math.ceil(durationMs));
  const billedMb = Math.max(LEAST_MEMORY_MB, Math.ceil(memoryMb));
  const gbSeconds = (billedMb / 1024) * (billedMs / 1000);
  const cost = rounded(gbSeconds * prices.gbSecond + prices.request);
  return { architecture, billedMs, memoryMb: billedMb, gbSeconds: rounded(gbSeconds), cost };
}
