import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '@nanogrid/core';
import { afterEach, expect, test } from 'vitest';
import { job, type Lab, startLab, status, success, withModels } from './metrics-lab.test.util.js';

let lab: Lab | undefined;

afterEach(() => lab?.stop());

const HOSTILE = ['', ' ', '__proto__', 'constructor', 'other', 'a"b\\c\nd', '{a="b"}', '\u0000', '\ud800', '# EOF\n'];
const MAX_MODELS = 20;

/** What the README says, for the lab's worker: its runtimes, no figures of plugins, nothing that fails. */
function bound(): number {
  const runtimes = Object.keys(status.pool.runtimes).length + 1;
  const models = MAX_MODELS + 2;
  return 24 * runtimes * models + 4 * models + 25 * runtimes + 500;
}

test('no message, function or model makes more series than the README says', async () => {
  lab = await startLab({ maxModels: MAX_MODELS, processMetrics: false });
  const { hooks, endStage, scrape } = lab;
  const run = async (name: string) => {
    const runtimes = ['python', 'go', name];
    for (const runtime of runtimes) {
      const usage = { llmUsage: withModels(name), llmCost: { currency: 'USD', total: 1, byModel: { [name]: 1 } } };
      const failed = { status: 'ERROR', errorCode: name as ErrorCode, functionId: name, requestId: name } as const;
      const asked = { ...job, id: name, functionId: name, runtime };
      await hooks.onResult.promise({ ...success, ...usage, cpuMs: 1 }, asked);
      await hooks.onResult.promise({ ...success, ...usage, ...failed }, asked);
      endStage({ job: asked, stage: 'publish', startedAt: 0, durationMs: 1, outcome: 'done' });
    }
  };
  const runMany = async () => {
    for (let count = 0; count < 200; count++) await run(randomUUID());
  };
  for (const name of HOSTILE) await run(name);
  await runMany();
  const first = (await scrape()).length;
  await runMany();
  const second = (await scrape()).length;
  expect(second).toBe(first);
  expect(second).toBeLessThanOrEqual(bound());
  // The bound is no empty word: most of it was used.
  expect(second).toBeGreaterThan(0.5 * bound());
});
