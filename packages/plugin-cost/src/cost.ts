/** The plugin `cost`: what each job cost by the operator's prices, and what AWS Lambda would have charged. Owns the sums it shows. */

import { definePlugin, type ExecutionReport, type JobCost, type JobResult } from '@nanogrid/core';
import { LAMBDA_PRICES, type LambdaPrices, lambdaPrice } from './lambda-price.js';
import { rounded } from './rounded.js';

/** Options of the plugin, each optional. */
export type CostOptions = NonNullable<Parameters<typeof cost>[0]>;

/** Prices of the operator's own machines, in the currency of the options. */
interface Prices {
  readonly cpuSecond: number;
  readonly gbSecond: number;
  readonly gbOut: number;
  readonly request: number;
  readonly promptPerMillion: number;
  readonly completionPerMillion: number;
}

const BYTES_PER_GB = 1024 ** 3;
/** Behind every tap that tells what the price is made of, whatever the order of the plugins. */
const LAST_STAGE = 1_000;

const price = (description: string) => ({ type: 'number', minimum: 0, default: 0, description }) as const;

/** `plugins: [cost()]`. Puts `cost` on the result of every job whose code ran. */
export const cost = definePlugin({
  name: '@nanogrid/plugin-cost',
  version: '0.1.0',
  core: '^0.1.0',
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      currency: {
        type: 'string',
        pattern: '^[A-Z]{3}$',
        mustBe: 'a currency code of three capital letters',
        default: 'USD',
        description: 'Currency of all prices, those of Lambda too.',
      },
      cpuSecond: price('Price of a second of processor time.'),
      gbSecond: price('Price of a GB of memory limit for a second.'),
      gbOut: price('Price of a GB that leaves the worker.'),
      request: price('Price of a job.'),
      promptPerMillion: price('Price of a million prompt tokens, where the result has no `llmCost` in this currency.'),
      completionPerMillion: price('The same for completion tokens.'),
      lambda: {
        type: 'object',
        additionalProperties: false,
        default: {},
        description: 'What the comparison goes by.',
        properties: {
          architecture: { enum: ['x86_64', 'arm64'], default: 'x86_64', description: 'Which of its prices.' },
          gbSecond: {
            type: 'number',
            minimum: 0,
            description: 'Price of a GB-second. Default: that of us-east-1 for the architecture, in USD.',
          },
          request: { type: 'number', minimum: 0, description: 'Price of a request. The same.' },
        },
      },
    },
  },
  apply(host, { currency, lambda, ...prices }) {
    const { architecture, ...own } = lambda;
    const lambdaPrices: LambdaPrices = { ...LAMBDA_PRICES[architecture], ...own };
    const sums = { cpuSeconds: 0, gbSeconds: 0, bytes: 0, total: 0, lambda: 0 };
    const counter = (name: string, help: string, value: () => number) =>
      host.metric({ name, kind: 'counter', help, value });
    counter('cost_cpu_seconds_total', 'Processor time of jobs in seconds.', () => sums.cpuSeconds);
    counter(
      'cost_gb_seconds_total',
      'Memory limits of jobs times the time they ran, in GB-seconds.',
      () => sums.gbSeconds,
    );
    counter('cost_out_bytes_total', 'Bytes that left the worker because of jobs.', () => sums.bytes);
    counter('cost_money_total', 'What jobs cost, in the configured currency.', () => sums.total);
    counter('cost_lambda_money_total', 'What AWS Lambda would have charged for them.', () => sums.lambda);

    host.hooks.afterExec.tap({ name: 'price', stage: LAST_STAGE }, (result, report) => {
      const own = ownPrice(result, report, currency, prices);
      const elsewhere = lambdaPrice(result, architecture, lambdaPrices);
      sums.cpuSeconds += own.cpu.seconds;
      sums.gbSeconds += own.memory.gbSeconds;
      sums.bytes += own.out.bytes;
      sums.total += own.total;
      sums.lambda += elsewhere.cost;
      // The result is this tap's own copy.
      result.cost = { ...own, lambda: elsewhere };
      return result;
    });
  },
});

/** Time counts as it was measured, memory as it was reserved; both runs of a job that was run twice. */
function ownPrice(
  result: JobResult,
  { bytesOut: bytes, firstRun }: Pick<ExecutionReport, 'bytesOut' | 'firstRun'>,
  currency: string,
  prices: Prices,
): Omit<JobCost, 'lambda'> {
  const runs = [...(firstRun ? [{ ...firstRun, memoryMb: firstRun.spec.memoryMb }] : []), result];
  const seconds = runs.reduce((sum, { cpuMs = 0 }) => sum + cpuMs / 1000, 0);
  const gbSeconds = runs.reduce((sum, { memoryMb, durationMs }) => sum + (memoryMb / 1024) * (durationMs / 1000), 0);
  const cpu = { seconds: rounded(seconds), cost: rounded(seconds * prices.cpuSecond) };
  const memory = { gbSeconds: rounded(gbSeconds), cost: rounded(gbSeconds * prices.gbSecond) };
  const out = { bytes, cost: rounded((bytes / BYTES_PER_GB) * prices.gbOut) };
  const tokens = tokenPrice(result, currency, prices);
  const total = rounded(prices.request + cpu.cost + memory.cost + out.cost + (tokens?.cost ?? 0));
  return { currency, total, request: prices.request, cpu, memory, out, ...(tokens === undefined ? {} : { tokens }) };
}

/** By model where the result tells what its tokens cost, else by one price for all of them. */
function tokenPrice({ llmUsage, llmCost }: JobResult, currency: string, prices: Prices): JobCost['tokens'] {
  if (llmUsage === undefined) return undefined;
  const { promptTokens, completionTokens, totalTokens } = llmUsage;
  if (llmCost?.currency === currency) return { total: totalTokens, cost: llmCost.total };
  const millionths = promptTokens * prices.promptPerMillion + completionTokens * prices.completionPerMillion;
  return { total: totalTokens, cost: rounded(millionths / 1_000_000) };
}
