/** What tokens cost. Owns no state but its prices. */

import type { LlmCost, LlmUsage } from '@nanogrid/core';
import { matchesWildcard } from './wildcard.js';

/** Price of the models whose names match, in the table's currency. */
export interface ModelPrice {
  /** `*` stands for any text: `llama3*`. */
  readonly model: string;
  /** Per million tokens. */
  readonly promptPerMillion: number;
  readonly completionPerMillion: number;
}

/** Sums are told to a billionth: what lies beyond is an artefact of binary fractions. */
const DIGITS = 9;

export class PriceTable {
  readonly #prices: readonly ModelPrice[];
  readonly #currency: string;

  constructor(prices: readonly ModelPrice[], currency: string) {
    this.#prices = prices;
    this.#currency = currency;
  }

  /** The cost of a job's calls, by the first price that matches each model; undefined where the table is empty. */
  costOf(usage: LlmUsage): LlmCost | undefined {
    if (this.#prices.length === 0) return undefined;
    const byModel = new Map<string, number>();
    const unpriced: string[] = [];
    for (const [model, { promptTokens, completionTokens }] of Object.entries(usage.byModel)) {
      const price = this.#prices.find((candidate) => matchesWildcard(candidate.model, model));
      if (price === undefined) unpriced.push(model);
      else {
        const cost = promptTokens * price.promptPerMillion + completionTokens * price.completionPerMillion;
        byModel.set(model, rounded(cost / 1_000_000));
      }
    }
    const total = rounded([...byModel.values()].reduce((sum, cost) => sum + cost, 0));
    return {
      currency: this.#currency,
      total,
      byModel: Object.fromEntries(byModel),
      ...(unpriced.length === 0 ? {} : { unpricedModels: unpriced }),
    };
  }
}

function rounded(amount: number): number {
  return Number(amount.toFixed(DIGITS));
}
