/** What jobs used of LLMs, on real containers: exact, the job's own, and refused once a budget is spent. */

import { llmMetering } from '@nanogrid/plugin-llm-metering';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacks, LOOK_AROUND } from '../support/attack.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const MAIN = `import json
def handler(event, context):
    with open(".llm_usage_stats.jsonl", "a") as file:
        for call in event:
            file.write(json.dumps(call) + "\\n")
`;
const CALLS = [
  { model: 'llama3:8b', prompt_eval_count: 26, eval_count: 298 },
  { model: 'gpt-4o', usage: { prompt_tokens: 9, completion_tokens: 12 } },
];
const USAGE = {
  promptTokens: 35,
  completionTokens: 310,
  totalTokens: 345,
  calls: 2,
  byModel: {
    'llama3:8b': { promptTokens: 26, completionTokens: 298, totalTokens: 324, calls: 1 },
    'gpt-4o': { promptTokens: 9, completionTokens: 12, totalTokens: 21, calls: 1 },
  },
};

let worker: TestWorker;
let key: string;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [python({ preload: [] })],
    plugins: [
      llmMetering({
        prices: [{ model: '*', promptPerMillion: 1, completionPerMillion: 10 }],
        budgets: [{ function: 'bounded', tokens: 400 }],
      }),
    ],
    settings: { reuse: { default: 'container', functions: { kept: 'process' } } },
  });
  key = await worker.put({ 'main.py': MAIN });
});

afterAll(async () => {
  await worker?.close();
});

const call = (functionId: string, input: unknown) =>
  worker.run(undefined, { key, runtime: 'python', handler: 'main.handler', functionId, input });

test.each(['fresh', 'kept'])('%s: each job has its own calls, and one without any has none', async (functionId) => {
  for (let job = 0; job < 2; job++) {
    const result = await call(functionId, CALLS);
    expect(result).toMatchObject({ status: 'SUCCESS', llmUsage: USAGE, llmCost: { total: 0.003135 } });
    expect(await call(functionId, [])).not.toHaveProperty('llmUsage');
  }
});

test('a function that has spent its budget is refused, and others are not', async () => {
  for (let job = 0; job < 2; job++) expect(await call('bounded', CALLS)).toMatchObject({ llmUsage: USAGE });
  const refused = await call('bounded', CALLS);
  expect(refused).toMatchObject({ status: 'FAILED', errorCode: 'NG_BUDGET_EXCEEDED', durationMs: 0 });
  expect(refused.errorMessage).toContain('690 of 400 tokens');
  expect(await call('free', CALLS)).toMatchObject({ status: 'SUCCESS' });
});

describe('a hostile file', () => {
  test.each(['symlink', 'fifo', 'directory', 'sparse', 'long-line'])('%s: charges nothing', async (name) => {
    const usage = await worker.put(await attacks('usage', 'python'));
    for (const input of [name, LOOK_AROUND]) {
      const result = await worker.run(undefined, { key: usage, runtime: 'python', functionId: name, input });
      expect(result.status).toBe('SUCCESS');
      expect(result).not.toHaveProperty('llmUsage');
      expect(result).not.toHaveProperty('pluginErrors');
    }
  });
});
