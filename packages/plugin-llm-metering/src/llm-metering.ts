/** The plugin `llm-metering`: what jobs used of LLMs, what that cost, budgets for it, and events to bill by. Owns the counts it shows. */

import { definePlugin, NanoGridError, type PluginHost } from '@nanogrid/core';
import { Budgets } from './budgets.js';
import { checkBudget } from './check-budget.js';
import { PriceTable } from './price-table.js';
import { SpendingLedger } from './spending-ledger.js';
import { usageEvent } from './usage-event.js';
import { readUsageFiles } from './usage-file.js';

/** What a function writes into its working directory: one JSON object per line. */
export const USAGE_FILE = '.llm_usage_stats.jsonl';

/** Core reads 16 MiB of a file at most; one byte of it tells that there is more. */
const MOST_BYTES = 16 * 1024 * 1024 - 1;

/** Options of the plugin, each optional. */
export type LlmMeteringOptions = NonNullable<Parameters<typeof llmMetering>[0]>;

/** `plugins: [llmMetering()]`. Puts `llmUsage` on results, and `llmCost` where there are prices. */
export const llmMetering = definePlugin({
  name: '@nanogrid/plugin-llm-metering',
  version: '0.1.0',
  core: '^0.1.0',
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      maxBytes: {
        type: 'integer',
        minimum: 1,
        maximum: MOST_BYTES,
        default: 1_048_576,
        description: 'Bytes that are read of the usage file of one job.',
      },
      maxLines: {
        type: 'integer',
        minimum: 1,
        maximum: 20_000,
        default: 10_000,
        description: 'Lines that are read of it.',
      },
      maxModels: {
        type: 'integer',
        minimum: 1,
        maximum: 1_000,
        default: 20,
        description: 'Models that are told apart on one result; later ones are counted as `other`.',
      },
      maxTokensPerCall: {
        type: 'integer',
        minimum: 1,
        maximum: 1_000_000_000,
        default: 10_000_000,
        description: 'Tokens of one kind (prompt, completion) that one call can be charged with; more is cut to it.',
      },
      currency: {
        type: 'string',
        pattern: '^[A-Z]{3}$',
        mustBe: 'a currency code of three capital letters',
        default: 'USD',
        description: 'Currency of the prices and of budgets of money.',
      },
      prices: {
        type: 'array',
        maxItems: 1_000,
        default: [],
        description: 'Prices by model; the first that matches counts. With none, results carry no cost.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['model', 'promptPerMillion', 'completionPerMillion'],
          properties: {
            model: { type: 'string', minLength: 1, description: 'Name of the model; `*` stands for any text.' },
            promptPerMillion: { type: 'number', minimum: 0, description: 'Price of a million prompt tokens.' },
            completionPerMillion: { type: 'number', minimum: 0, description: 'Price of a million completion tokens.' },
          },
        },
      },
      budgets: {
        type: 'array',
        maxItems: 1_000,
        default: [],
        description: 'What single functions, or tenants, may spend; of each kind the first that matches counts.',
        items: {
          type: 'object',
          additionalProperties: false,
          properties: {
            function: { type: 'string', minLength: 1, description: 'Id of the function; `*` stands for any text.' },
            tenant: {
              type: 'string',
              minLength: 1,
              description: 'Or the owner of functions, as `controller.apiKeys` names it; the same.',
            },
            window: { enum: ['hour', 'day'], default: 'day', description: 'Full hours, or days, in UTC.' },
            tokens: { type: 'integer', minimum: 0, description: 'Tokens of both kinds in one window.' },
            cost: { type: 'number', minimum: 0, description: 'Money in one window; needs `prices`.' },
          },
        },
      },
      events: {
        type: 'object',
        additionalProperties: false,
        description: 'Publishes what each job used to a stream of the store of results. Default: none.',
        properties: {
          stream: {
            type: 'string',
            pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
            mustBe: 'letters, digits, ".", "_", "-"',
            default: 'llm-usage',
            description: 'Name of the stream.',
          },
          maxLength: {
            type: 'integer',
            minimum: 1,
            maximum: 1_000_000_000,
            default: 1_000_000,
            description: 'About as many events are kept; the oldest go.',
          },
        },
      },
    },
  },
  apply(host, options) {
    const { maxBytes, maxLines, maxModels, maxTokensPerCall, currency, events } = options;
    const caps = { maxBytes, maxLines, maxModels, maxTokensPerCall };
    for (const budget of options.budgets) checkBudget(budget, options.prices.length > 0);
    const prices = new PriceTable(options.prices, currency);
    const ledger = new SpendingLedger(() => host.service('sharedState'), Date.now);
    const budgets = new Budgets({ budgets: options.budgets, currency, ledger, now: Date.now });
    const counts = { calls: 0, ignoredLines: 0, clampedCalls: 0, cutFiles: 0 };

    const counter = (name: string, help: string, value: () => number) =>
      host.metric({ name, kind: 'counter', help, value });
    counter('llm_usage_calls_total', 'Calls to LLMs that jobs recorded.', () => counts.calls);
    counter('llm_usage_ignored_lines_total', 'Lines of usage files that tell of no call.', () => counts.ignoredLines);
    counter('llm_usage_clamped_calls_total', 'Calls whose tokens were cut to the cap.', () => counts.clampedCalls);
    counter('llm_usage_cut_files_total', 'Usage files that were longer than is read.', () => counts.cutFiles);
    if (events !== undefined) checkStreams(host);
    counter('llm_budget_refusals_total', 'Jobs refused for a spent LLM budget.', () => budgets.refusals);

    host.hooks.beforeExec.tapPromise('ask', async (spec, job) => {
      await budgets.check(job);
      // One byte more than is read tells that there is more.
      return { ...spec, workFiles: [...spec.workFiles, { path: USAGE_FILE, maxBytes: maxBytes + 1 }] };
    });
    host.hooks.afterExec.tap('meter', (result, { workFiles, firstRun }, job) => {
      // A first run for which the memory was too little asked its questions as well.
      const contents = [firstRun?.workFiles.get(USAGE_FILE), workFiles.get(USAGE_FILE)].filter(
        (file) => file !== undefined,
      );
      if (contents.length === 0) return result;
      const { usage, ignoredLines, clampedCalls, cut } = readUsageFiles(contents, caps);
      counts.calls += usage?.calls ?? 0;
      counts.ignoredLines += ignoredLines;
      counts.clampedCalls += clampedCalls;
      counts.cutFiles += cut ? 1 : 0;
      if (ignoredLines > 0 || clampedCalls > 0 || cut) {
        host.log.info({ ignoredLines, clampedCalls, cut }, 'the usage file of a job was not taken as it is');
      }
      if (usage === undefined) return result;
      const llmCost = prices.costOf(usage);
      const metered = { ...result, llmUsage: usage, ...(llmCost === undefined ? {} : { llmCost }) };
      const event = events && usageEvent(job, metered, events, Date.now());
      return event === undefined ? metered : { ...metered, events: [...(result.events ?? []), event] };
    });
    if (options.budgets.length === 0) return;
    // A tap of its own: a budget that cannot be charged now takes nothing off the result.
    host.hooks.afterExec.tapPromise('charge', async (result, _report, job) => {
      const { llmUsage, llmCost } = result;
      if (llmUsage !== undefined) {
        await budgets.charge(job, { tokens: llmUsage.totalTokens, cost: llmCost?.total ?? 0 });
      }
      return result;
    });
  },
});

/** Tells where events would go nowhere: in the log of a worker, and where the doctor is asked. */
function checkStreams(host: PluginHost): void {
  const keeps = () => host.service('resultStore')?.keepsStreams === true;
  const missing = 'The store of results keeps no streams, so LLM usage events go nowhere.';
  const hint = 'Use @nanogrid/plugin-redis for results, or leave `events` out.';
  host.lifecycle({
    start() {
      if (host.role === 'worker' && !keeps()) host.log.warn({ hint }, missing);
    },
  });
  host.diagnostic({
    name: 'LLM usage events',
    async run() {
      if (!keeps()) throw new NanoGridError('NG_CONFIG_INVALID', missing, { hint });
      return 'The store of results keeps streams.';
    },
  });
}
