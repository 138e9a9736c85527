/** Budgets of functions and tenants: what is spent of them in the window that runs now, and what happens to the next job. Owns what could not be told to the shared state yet. */

import { createHash } from 'node:crypto';
import { type Job, NanoGridError } from '@nanogrid/core';
import type { SpendingLedger } from './spending-ledger.js';
import { matchesWildcard } from './wildcard.js';

const WINDOW_MS = { hour: 3_600_000, day: 86_400_000 } as const;
/** Money is counted in billionths, as whole numbers: sums of fractions drift, and stores count whole numbers best. */
const NANO = 1_000_000_000;

/** What each of the functions whose ids match, or of the tenants whose names do, may spend in one window. */
export interface Budget {
  /** `*` stands for any text. Either this or `tenant`. */
  readonly function?: string;
  /** The same of the owner of the functions: all that it has spend from one budget. */
  readonly tenant?: string;
  /** Windows begin on the full hour, or at midnight, in UTC. */
  readonly window: keyof typeof WINDOW_MS;
  readonly tokens?: number;
  /** In the currency of the prices. */
  readonly cost?: number;
}

/** What a job spent. */
export interface Spending {
  readonly tokens: number;
  readonly cost: number;
}

export interface BudgetsOptions {
  readonly budgets: readonly Budget[];
  readonly currency: string;
  readonly ledger: SpendingLedger;
  /** Wall clock in Unix milliseconds: windows are the calendar's. */
  now(): number;
}

interface Account {
  readonly budget: Budget;
  /** Whose it is: `the function "f"`. */
  readonly owner: string;
  readonly key: string;
  readonly endsAt: number;
  readonly ttlMs: number;
}

export class Budgets {
  readonly #options: BudgetsOptions;
  /** Jobs that were refused. */
  refusals = 0;

  constructor(options: BudgetsOptions) {
    this.#options = options;
  }

  /**
   * Throws `NG_BUDGET_EXCEEDED` where the job's function, or its tenant, has spent its budget of the window, and what the
   * ledger throws.
   */
  async check(job: Job): Promise<void> {
    const { ledger, currency } = this.#options;
    for (const account of this.#accounts(job)) {
      const { budget, key } = account;
      if (budget.tokens !== undefined) {
        const spent = await ledger.spent(`${key}:tokens`);
        if (spent >= budget.tokens) throw this.#refusal(account, `${spent} of ${budget.tokens} tokens`);
      }
      if (budget.cost !== undefined) {
        const spent = (await ledger.spent(`${key}:cost`)) / NANO;
        if (spent >= budget.cost) throw this.#refusal(account, `${spent} of ${budget.cost} ${currency}`);
      }
    }
  }

  /** Adds what a job spent. Nothing is lost where the ledger throws: it adds it later. */
  async charge(job: Job, { tokens, cost }: Spending): Promise<void> {
    const costs = Math.min(Math.round(cost * NANO), Number.MAX_SAFE_INTEGER);
    const sums = this.#accounts(job).flatMap(({ budget, key, ttlMs }) => [
      ...(budget.tokens === undefined ? [] : [{ key: `${key}:tokens`, amount: tokens, ttlMs }]),
      ...(budget.cost === undefined ? [] : [{ key: `${key}:cost`, amount: costs, ttlMs }]),
    ]);
    await this.#options.ledger.add(sums);
  }

  /** The accounts of a job's function and of its tenant now, where budgets are for them. */
  #accounts({ functionId, tenant, code }: Job): Account[] {
    // Without an id the function is its code.
    const name = functionId ?? `${code.bucket ?? ''}/${code.key}`;
    const { budgets } = this.#options;
    const ofFunction = budgets.find(({ function: pattern }) => pattern !== undefined && matchesWildcard(pattern, name));
    const ofTenant = budgets.find(
      ({ tenant: pattern }) => pattern !== undefined && tenant !== undefined && matchesWildcard(pattern, tenant),
    );
    return [
      ...(ofFunction
        ? [this.#account(ofFunction, `the function ${JSON.stringify(name)}`, `${functionId === undefined}:${name}`)]
        : []),
      ...(ofTenant ? [this.#account(ofTenant, `the tenant ${JSON.stringify(tenant)}`, `tenant:${tenant}`)] : []),
    ];
  }

  #account(budget: Budget, owner: string, identity: string): Account {
    const windowMs = WINDOW_MS[budget.window];
    const window = Math.floor(this.#options.now() / windowMs);
    // An id may be as long as a whole key may be, nearly; and code has no id but its place.
    const hash = createHash('sha256').update(identity).digest('hex');
    return {
      budget,
      owner,
      key: `llm-budget:${budget.window}:${window}:${hash}`,
      endsAt: (window + 1) * windowMs,
      // Clocks of workers differ; a window that has ended is looked at by none of them a whole window later.
      ttlMs: 2 * windowMs,
    };
  }

  #refusal({ budget, owner, endsAt }: Account, spent: string): NanoGridError {
    this.refusals++;
    const pattern = JSON.stringify(budget.function ?? budget.tenant);
    return new NanoGridError(
      'NG_BUDGET_EXCEEDED',
      `${owner} has spent its LLM budget of this ${budget.window}: ${spent}`,
      { hint: `Send it again after ${new Date(endsAt).toISOString()}, or raise the budget of ${pattern}.` },
    );
  }
}
