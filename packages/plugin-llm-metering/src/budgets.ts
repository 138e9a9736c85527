/** Budgets of functions: what is spent of them in the window that runs now, and what happens to the next job. Owns what could not be told to the shared state yet. */

import { createHash } from 'node:crypto';
import { type Job, NanoGridError } from '@nanogrid/core';
import type { SpendingLedger } from './spending-ledger.js';
import { matchesWildcard } from './wildcard.js';

const WINDOW_MS = { hour: 3_600_000, day: 86_400_000 } as const;
/** Money is counted in billionths, as whole numbers: sums of fractions drift, and stores count whole numbers best. */
const NANO = 1_000_000_000;

/** What each of the functions whose ids match may spend in one window. */
export interface Budget {
  /** `*` stands for any text. */
  readonly function: string;
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

  /** Throws `NG_BUDGET_EXCEEDED` where the job's function has spent its budget of the window, and what the ledger throws. */
  async check(job: Job): Promise<void> {
    const account = this.#account(job);
    if (account === undefined) return;
    const { ledger, currency } = this.#options;
    const { budget, key } = account;
    if (budget.tokens !== undefined) {
      const spent = await ledger.spent(`${key}:tokens`);
      if (spent >= budget.tokens) throw this.#refusal(job, account, `${spent} of ${budget.tokens} tokens`);
    }
    if (budget.cost !== undefined) {
      const spent = (await ledger.spent(`${key}:cost`)) / NANO;
      if (spent >= budget.cost) throw this.#refusal(job, account, `${spent} of ${budget.cost} ${currency}`);
    }
  }

  /** Adds what a job spent. Nothing is lost where the ledger throws: it adds it later. */
  async charge(job: Job, { tokens, cost }: Spending): Promise<void> {
    const account = this.#account(job);
    if (account === undefined) return;
    const { ledger } = this.#options;
    const { budget, key, ttlMs } = account;
    const costs = Math.min(Math.round(cost * NANO), Number.MAX_SAFE_INTEGER);
    if (budget.tokens !== undefined) await ledger.add(`${key}:tokens`, tokens, ttlMs);
    if (budget.cost !== undefined) await ledger.add(`${key}:cost`, costs, ttlMs);
  }

  /** The account of a job's function now; undefined where no budget is for it. */
  #account(job: Job): Account | undefined {
    const name = functionName(job);
    const budget = this.#options.budgets.find((candidate) => matchesWildcard(candidate.function, name));
    if (budget === undefined) return undefined;
    const windowMs = WINDOW_MS[budget.window];
    const window = Math.floor(this.#options.now() / windowMs);
    // An id may be as long as a whole key may be, nearly; and code has no id but its place.
    const hash = createHash('sha256')
      .update(`${job.functionId === undefined}:${name}`)
      .digest('hex');
    return {
      budget,
      key: `llm-budget:${budget.window}:${window}:${hash}`,
      endsAt: (window + 1) * windowMs,
      // Clocks of workers differ; a window that has ended is looked at by none of them a whole window later.
      ttlMs: 2 * windowMs,
    };
  }

  #refusal(job: Job, { budget, endsAt }: Account, spent: string): NanoGridError {
    this.refusals++;
    const name = JSON.stringify(functionName(job));
    return new NanoGridError(
      'NG_BUDGET_EXCEEDED',
      `the function ${name} has spent its LLM budget of this ${budget.window}: ${spent}`,
      {
        hint: `Send it again after ${new Date(endsAt).toISOString()}, or raise the budget of ${JSON.stringify(budget.function)}.`,
      },
    );
  }
}

/** Without an id the function is its code. */
function functionName({ functionId, code }: Job): string {
  return functionId ?? `${code.bucket ?? ''}/${code.key}`;
}
