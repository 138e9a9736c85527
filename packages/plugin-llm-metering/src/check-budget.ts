/** Says what is wrong with a budget of the configuration. Owns no state. */

import { NanoGridError } from '@nanogrid/core';
import type { Budget } from './budgets.js';

/** Throws `NG_CONFIG_INVALID` for a budget of nobody, and for one that could never be spent. */
export function checkBudget(budget: Budget, hasPrices: boolean): void {
  const { tokens, cost } = budget;
  const refuse = (what: string, hint: string) => {
    throw new NanoGridError('NG_CONFIG_INVALID', `The LLM budget of ${nameOf(budget)} ${what}.`, { hint });
  };
  if ((budget.function === undefined) === (budget.tenant === undefined)) {
    refuse('is of no function and no tenant, or of both', 'Give it either `function` or `tenant`.');
  }
  if (tokens === undefined && cost === undefined) refuse('has no limit', 'Give it `tokens`, `cost` or both.');
  if (cost !== undefined && !hasPrices) {
    refuse(
      'is in money, and there are no prices',
      'Set `prices`; a last one for the model `*` prices what no other does.',
    );
  }
}

function nameOf({ function: functionPattern, tenant }: Budget): string {
  return JSON.stringify(functionPattern ?? tenant ?? '');
}
